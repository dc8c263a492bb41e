// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "deploy/calls.hpp"
#include "deploy/rollout.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// One service on its way back.
struct RollbackStep {
  ledger::Release from;  ///< what it runs by the ledger
  ledger::Release to;    ///< a release that succeeded
  formats::Json definition =
      {};  ///< to be registered for it; null: the revision as it is, see bring_back()
  std::vector<std::string> notes = {};  ///< what is not as it was then
};

/// Which services go where, by the ledger alone.
///   target   empty: the last good release before the current one (a release that was rolled back to counts where it was first
///            made, so that going back twice goes two releases back); a commit (4 digits or more) that was released;
///            a revision ("family:7") or task definition ARN
///   returns  the services that have to move, in the reverse of the order in which they were released; empty: all are there already
///   throws   Error{not_found} when the environment has no such release, with what it has
std::vector<RollbackStep> plan_rollback(const ledger::Ledger& ledger,
                                        const std::string& environment, const std::string& target);

struct RollbackResult {
  RollbackStep step;
  std::int64_t release = 0;  ///< its id in the ledger
  Verdict verdict;
  std::chrono::milliseconds accepted_after{
      0};  ///< from the call of roll_back() to the accepted UpdateService
};

/// Carries a plan out: UpdateService for every service at once (to the task definition revision as it was registered), each
/// journaled before; then watches all to their verdicts.
///   epoch   of the environment's lock; 0: under none
///   trace_parent  the span around the releases; empty: nothing is traced
///   sink    called from several threads, never two calls at once; may be empty
///   throws  Error when a service cannot be updated; what was accepted before is watched to its end first
std::vector<RollbackResult> roll_back(
    Calls& calls, ledger::Ledger& ledger, const std::vector<RollbackStep>& plan,
    const std::string& who, const WatchOptions& options,
    const std::function<void(const std::string& service, const RolloutEvent&)>& sink,
    const std::stop_token& stop, std::int64_t epoch = 0, const std::string& trace_parent = "");

}  // namespace slipway::deploy
