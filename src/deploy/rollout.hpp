// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/deadline.hpp"
#include "deploy/calls.hpp"
#include "deploy/verdict.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// A service brought to a task definition.
struct RolloutRequest {
  std::string cluster = "default";
  std::string service;
  std::string task_definition;  ///< ARN or family:revision
  std::optional<int> desired_count;
  bool force_new_deployment = false;
  /// Members of deploymentConfiguration that replace the service's own ("strategy", …), for a service behind a load balancer; or
  /// null.
  formats::Json strategy;
  formats::Json
      more;  ///< more members of UpdateService ("propagateTags", "volumeConfigurations", …), or null
};

/// A deployment that the cloud accepted.
struct Rollout {
  std::string cluster;
  std::string service;
  std::string deployment;                ///< "ecs-svc/…" that runs task_definition
  std::string task_definition;           ///< ARN
  std::string previous_deployment;       ///< the PRIMARY before
  std::string previous_task_definition;  ///< ARN
  bool is_new = false;                   ///< false: nothing changed, the service runs this already
  bool can_roll_back =
      false;  ///< the service's circuit breaker is on with rollback: the cloud does it
  bool has_breaker = false;  ///< the service's circuit breaker is on
  int desired = 0;
  std::string last_event;  ///< id of the newest service event before it
  std::chrono::steady_clock::time_point accepted_at;
};

/// DescribeServices, then UpdateService.
///   throws  Error{not_found} "service 'x' is MISSING in cluster 'c'", Error{failed} when it is not ACTIVE or another
///           controller deploys it, or the cloud refuses
Rollout start_rollout(Calls& calls, const RolloutRequest& request, const std::stop_token& stop);

/// The same for a service that was described just now.
Rollout start_rollout(Calls& calls, const RolloutRequest& request, const formats::Json& before,
                      const std::stop_token& stop);

/// The rollout that turned a service, as DescribeServices or UpdateService told it, from `before` into `now`.
Rollout rollout_of(const RolloutRequest& request, const formats::Json& now,
                   const formats::Json& before);

/// What is seen while watching; each once.
struct RolloutEvent {
  enum class Kind { progress, service_event, task_stopped };
  Kind kind = Kind::progress;
  std::string text;  ///< one line
};

struct WatchOptions {
  Deadline deadline = Deadline::in(std::chrono::minutes(30));
  /// True: when the deployment fails and the cloud does not roll back by itself, it is done here.
  bool roll_back = true;
  std::function<void(const RolloutEvent&)> sink;  ///< may be empty
  /// Asked before a roll back is issued; false: another one has the environment now. May be empty.
  std::function<bool()> may_act;
  std::chrono::milliseconds shortest_pause{100};
  std::chrono::milliseconds longest_pause{1000};
};

/// Polls until the rollout's deployment is the only one and COMPLETED, or has failed. A failure is followed to the end of
/// the roll back, so that the verdict says what runs.
///   returns  succeeded, failed (no roll back, or it failed too), rolled_back, or unknown at the deadline
///   throws   Error{unavailable} when the cloud stays out of reach; Cancelled
Verdict watch(Calls& calls, const Rollout& rollout, const WatchOptions& options,
              const std::stop_token& stop);

/// The images of the tasks that run: digests as the cloud resolved them, by container.
std::vector<ledger::ReleasedImage> running_images(Calls& calls, const Rollout& rollout,
                                                  const std::stop_token& stop);

}  // namespace slipway::deploy
