// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "base/deadline.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::ecs {

/// A new revision of a service whose deployment controller is CODE_DEPLOY, to be put beside the old one.
struct Replacement {
  Scope scope;
  std::string cluster;
  std::string service;
  std::string task_definition;  ///< its ARN
  std::string container;        ///< that the load balancer reaches, and its port
  std::int64_t port = 0;
  std::string group, other_group;   ///< ARNs of the pair of target groups
  std::string production_listener;  ///< ARN
  std::string test_listener;        ///< ARN; empty: none
  Json strategy;         ///< as a deploymentConfiguration says it: BLUE_GREEN, LINEAR, CANARY
  bool is_held = false;  ///< traffic waits for resume()
};

/// How far a replacement has come.
struct ReplacementState {
  std::string rollout;  ///< IN_PROGRESS, COMPLETED, FAILED
  std::string reason;
  std::string stage;  ///< SCALE_UP, PRODUCTION_TRAFFIC_SHIFT, BAKE_TIME, CLEAN_UP; empty once ended
  int weight = 0;     ///< percent of the production traffic
  bool is_ready = false;           ///< its tasks are healthy
  Json task_sets = Json::array();  ///< the service's, as DescribeServices shows them
};

/// What CodeDeploy may do with the services of ECS.
///   threads  any
class Deployer {
 public:
  Deployer() = default;
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;
  virtual ~Deployer() = default;

  /// The service's deployment controller ("ECS", "CODE_DEPLOY"); nothing when there is no such ACTIVE service.
  [[nodiscard]] virtual std::optional<std::string> controller_of(const Scope& scope,
                                                                 const std::string& cluster,
                                                                 const std::string& service) = 0;
  /// The ARN of a registered, ACTIVE task definition; nothing when there is none.
  [[nodiscard]] virtual std::optional<std::string> task_definition_of(const Scope& scope,
                                                                      const std::string& name) = 0;
  /// Begins. Returns the task set's id.
  ///   throws  Refusal when the service is not as the replacement takes it to be
  virtual std::string replace(const Replacement& replacement) = 0;
  /// Nothing once it is forgotten.
  [[nodiscard]] virtual std::optional<ReplacementState> state_of(const Scope& scope,
                                                                 const std::string& cluster,
                                                                 const std::string& service,
                                                                 const std::string& task_set) = 0;
  /// Lets held traffic go over.
  virtual void resume(const Scope& scope, const std::string& cluster, const std::string& service,
                      const std::string& task_set) = 0;
  /// Ends a replacement that is in progress; what was before serves again.
  virtual void take_back(const Scope& scope, const std::string& cluster, const std::string& service,
                         const std::string& task_set, const std::string& why) = 0;
  /// Waits until something of ECS has changed since `version` (then updated), `stop` or the deadline.
  virtual void wait_for_change(const std::stop_token& stop, Deadline deadline,
                               std::uint64_t& version) = 0;
};

}  // namespace slipway::cloud::ecs
