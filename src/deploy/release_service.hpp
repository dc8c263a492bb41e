// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>

#include "deploy/calls.hpp"
#include "deploy/rollout.hpp"
#include "formats/json.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// Registers a task definition once: when the answer is lost the cloud is asked whether the revision is there before it is
/// tried again. Returns the answer's taskDefinition. throws  Error with what was refused
formats::Json register_once(Calls& calls, const formats::Json& input, const std::stop_token& stop);
/// start_rollout(), where a lost answer of UpdateService is looked for in the cloud before the call is made again.
Rollout start_rollout_once(Calls& calls, const RolloutRequest& request,
                           const std::stop_token& stop);

/// What a person who interrupts a deployment wants.
enum class Interrupted { leave, roll_back };

/// One service to be released.
struct ServiceRelease {
  ledger::Release intent;  ///< what the ledger is told before the cloud is asked
  formats::Json
      definition;         ///< to be registered; null: intent.task_definition is released as it is
  RolloutRequest update;  ///< task_definition is set here
  bool waits = true;      ///< false: the verdict is unknown, nobody watches
  WatchOptions watch;
  /// How a service is moved onto the task definition that is not moved by UpdateService, and how that is watched; empty: by UpdateService.
  /// `update` then only names cluster and service. A start has to look by itself for what it made when its answer is lost.
  std::function<Rollout(const std::string& task_definition)> start;
  std::function<Verdict(const Rollout&)> observe;
  std::function<void(const Rollout&)>
      accepted;  ///< called when the cloud has taken it; may be empty
  std::function<Interrupted()>
      interrupted;  ///< asked when `stop` comes while it is watched; empty: leave
};

struct Released {
  std::int64_t id = 0;  ///< in the ledger
  Rollout rollout;
  Verdict verdict;
  std::chrono::milliseconds accepted_after{
      0};  ///< from the call of release_service() to the accepted UpdateService
};

/// Journals, registers, updates, watches, and writes down how it ended. What the cloud refuses is a failed verdict.
///   ledger   null: nothing is recorded
///   throws   Error{unavailable} when the cloud is out of reach, Cancelled; the ledger has it as unknown
Released release_service(Calls& calls, ledger::Ledger* ledger, const ServiceRelease& what,
                         const std::stop_token& stop);

/// Asks the cloud what became of the releases whose process died, watches those that still go on, and writes it down.
///   told   one line for each, may be empty
void settle_lost(Calls& calls, ledger::Ledger& ledger, const std::string& environment,
                 const WatchOptions& options, const std::function<void(const std::string&)>& told,
                 const std::stop_token& stop);

}  // namespace slipway::deploy
