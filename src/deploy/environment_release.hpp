// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "deploy/candidate.hpp"
#include "deploy/compare.hpp"
#include "deploy/image_contents.hpp"
#include "deploy/release_service.hpp"

namespace slipway::deploy {

/// What a candidate changes of what its service runs.
struct Difference {
  std::string service;
  std::string running;          ///< task definition ARN; empty: no service, or none runs
  std::vector<Change> changes;  ///< empty and `is_steady`: there is nothing to do
  bool is_steady = false;       ///< the service runs `running` undisturbed
};
/// One for each candidate, in their order.
/// An image under another name is no change where the running tasks have the very digest.
std::vector<Difference> differences(Calls& calls, const std::vector<Candidate>& candidates,
                                    const std::stop_token& stop);

/// Adds to changed images which of their layers are new, and which packages differ where both have an SBOM. What the registry
/// does not tell is left out.
void describe_images(Calls& calls, std::vector<Difference>& differences, const BlobReader& blobs,
                     const std::stop_token& stop);

/// What a candidate changes, as text for people and the ledger; empty where the cloud does not tell, or nothing changes.
std::string changes_of(Calls& calls, const Candidate& candidate, const BlobReader& blobs,
                       const std::stop_token& stop);

/// An environment's services on their way.
struct EnvironmentRelease {
  std::vector<Candidate> candidates;
  EnvironmentSettings settings;
  std::string cause = "deploy";  ///< "deploy", "promote"
  std::string sha;
  std::string run_id;
  std::string test_verdict;
  std::string who;
  std::string trace_parent;  ///< of its span, for the releases; empty: nothing is traced
  std::int64_t epoch = 0;    ///< of the environment's lock
  bool waits = true;
  bool forces = false;  ///< also services that run it already
  WatchOptions watch;
  std::function<Interrupted()> interrupted;
  std::function<void(const std::string& service, const RolloutEvent&)>
      sink;  ///< never two calls at once; may be empty
};

struct ServiceOutcome {
  std::string service;
  bool is_skipped = false;  ///< it ran it already, or one before it failed
  std::string why;          ///< of a skip
  Released released;
};

/// The migrations first, then the services in their groups: those of a group together, the next group only when the one before
/// has succeeded.
///   returns  one for each candidate
///   throws   Error{failed} when the migrations fail: nothing was released then
std::vector<ServiceOutcome> release_environment(Calls& calls, ledger::Ledger& ledger,
                                                const EnvironmentRelease& what,
                                                const std::stop_token& stop);

}  // namespace slipway::deploy
