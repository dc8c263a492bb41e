// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "cloud/codedeploy/codedeploy.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::codedeploy {

constexpr std::string_view kApplication = "codedeploy.application";
constexpr std::string_view kGroup = "codedeploy.group";            // "APPLICATION/GROUP"
constexpr std::string_view kConfig = "codedeploy.config";          // by name
constexpr std::string_view kDeployment = "codedeploy.deployment";  // "d-…"

/// The operations. Split by resource: codedeploy.cpp (applications), configs.cpp, groups.cpp, deployments.cpp.
class CodeDeploy final : public Service {
 public:
  CodeDeploy(const Surroundings& around, ecs::Deployer& deployer, elb::Targets& targets)
      : around_(around), deployer_(deployer), targets_(targets) {}
  [[nodiscard]] const ServiceDescription& description() const override;
  [[nodiscard]] bool has(std::string_view operation) const override;
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override;
  /// Follows the deployments in progress to their ends.
  void run(std::stop_token stop) override;

 private:
  static const Operations<CodeDeploy>& operations();

  Json create_application(const Call& call);
  Json get_application(const Call& call);
  Json list_applications(const Call& call);
  Json delete_application(const Call& call);
  Json register_application_revision(const Call& call);
  Json list_tags_for_resource(const Call& call);

  Json create_deployment_config(const Call& call);
  Json get_deployment_config(const Call& call);
  Json list_deployment_configs(const Call& call);
  Json delete_deployment_config(const Call& call);

  Json create_deployment_group(const Call& call);
  Json update_deployment_group(const Call& call);
  Json get_deployment_group(const Call& call);
  Json list_deployment_groups(const Call& call);
  Json delete_deployment_group(const Call& call);

  Json create_deployment(const Call& call);
  Json get_deployment(const Call& call);
  Json batch_get_deployments(const Call& call);
  Json list_deployments(const Call& call);
  Json stop_deployment(const Call& call);
  Json continue_deployment(const Call& call);
  Json list_deployment_targets(const Call& call);
  Json get_deployment_target(const Call& call);
  Json batch_get_deployment_targets(const Call& call);

  Json application(Tables& tables, const Scope& scope, const std::string& name);
  Json group(Tables& tables, const Scope& scope, const std::string& application,
             const std::string& name);
  void check_group(const Call& call, const Json& group);
  /// The trafficRoutingConfig of a predefined or own configuration. throws Refusal DeploymentConfigDoesNotExistException
  Json config(Tables& tables, const Scope& scope, const std::string& name);
  /// A stored deployment brought up to date with what ECS says of it.
  Json deployment(const Scope& scope, const std::string& id);
  void follow(const Scope& scope, Json& deployment);
  Json target_of(const Scope& scope, const Json& deployment);
  Json info_of(const Json& deployment) const;

  const Surroundings around_;
  ecs::Deployer& deployer_;
  elb::Targets& targets_;
};

/// How an ECS service is to be replaced, as an AppSpec says it.
struct AppSpec {
  std::string task_definition;
  std::string container;
  std::int64_t port = 0;
  bool operator==(const AppSpec&) const = default;
};

/// Reads an AppSpec, YAML or JSON.
///   throws  Refusal InvalidRevisionException / InvalidAppSpecContentException that names what is wrong
///   source  CodeDeploy user guide, "AppSpec File structure for Amazon ECS deployments"
AppSpec parse_app_spec(const std::string& content);

/// The AppSpec of a CreateDeployment's revision. throws Refusal for revisions that only S3 or GitHub have
AppSpec app_spec_of(const Json& revision);

/// A trafficRoutingConfig as a deploymentConfiguration of ECS, with the minutes before the old tasks go.
Json strategy_of(const Json& traffic, double bake_minutes);

}  // namespace slipway::cloud::codedeploy
