// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// Protection rules of environments: which refs may deploy, how long a job waits, who has to approve.
//   source  docs.github.com, "Managing environments for deployment"
namespace slipway::workflow {

struct Protection {
  std::vector<std::string> reviewers;  ///< one of them has to approve; empty: nobody
  std::int64_t wait_minutes = 0;
  std::vector<std::string> branches;  ///< patterns of the branches that may deploy
  std::vector<std::string> tags;      ///< patterns of the tags; both empty: every ref
  bool prevent_self_review = false;   ///< who started the run may not approve it
};

/// A job that wants to use an environment.
struct GateRequest {
  std::string run;
  std::string job;  ///< within the run: "deploy", "deploy (eu)"
  std::string environment;
  std::string ref;
  std::string actor;
  const Protection& protection;
  std::filesystem::path approvals;  ///< the run's directory for them
};

/// Waits until the job may use the environment.
///   on_wait  told what is waited for
///   returns  why it may not; nothing: it may
///   throws   Cancelled
std::optional<std::string> pass_gate(const GateRequest& request,
                                     const std::function<void(const std::string&)>& on_wait,
                                     const std::stop_token& stop);

/// A job that waits for an approval.
struct PendingApproval {
  std::string job;
  std::string environment;
  std::vector<std::string> reviewers;
  std::string barred;  ///< who may not approve it; may be empty
};
std::vector<PendingApproval> pending_approvals(const std::filesystem::path& approvals);

struct Decision {
  bool approved = false;
  std::string reviewer;
  std::string comment;
};
/// Writes down what a reviewer decided; the waiting job sees it within a second.
///   throws  Error{denied} when `reviewer` may not, Error{not_found} when the job waits for none
void decide_approval(const std::filesystem::path& approvals, const std::string& job,
                     const Decision& decision);

}  // namespace slipway::workflow
