// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/ecs/deployer.hpp"
#include "cloud/ecs/engine.hpp"
#include "cloud/ecs/exec_channel.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::ecs {

/// The operations of ECS over the engine. Split by resource: clusters.cpp, task_definitions.cpp, services.cpp, tasks.cpp.
class Ecs final : public Service, public Deployer {
 public:
  Ecs(const Surroundings& around, std::unique_ptr<Images> images, elb::Targets& targets);
  [[nodiscard]] const ServiceDescription& description() const override;
  [[nodiscard]] bool has(std::string_view operation) const override;
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override;
  void run(std::stop_token stop) override;
  bool open_channel(net::ServerRequest& request, net::ResponseWriter& response) override;

  // deployer.cpp
  std::optional<std::string> controller_of(const Scope& scope, const std::string& cluster,
                                           const std::string& service) override;
  std::optional<std::string> task_definition_of(const Scope& scope,
                                                const std::string& name) override;
  std::string replace(const Replacement& replacement) override;
  std::optional<ReplacementState> state_of(const Scope& scope, const std::string& cluster,
                                           const std::string& service,
                                           const std::string& task_set) override;
  void resume(const Scope& scope, const std::string& cluster, const std::string& service,
              const std::string& task_set) override;
  void take_back(const Scope& scope, const std::string& cluster, const std::string& service,
                 const std::string& task_set, const std::string& why) override;
  void wait_for_change(const std::stop_token& stop, Deadline deadline,
                       std::uint64_t& version) override;

 private:
  static const Operations<Ecs>& operations();

  Json create_cluster(const Call& call);
  Json describe_clusters(const Call& call);
  Json list_clusters(const Call& call);
  Json delete_cluster(const Call& call);
  Json tag_resource(const Call& call);
  Json untag_resource(const Call& call);
  Json list_tags_for_resource(const Call& call);

  Json register_task_definition(const Call& call);
  Json describe_task_definition(const Call& call);
  Json deregister_task_definition(const Call& call);
  Json delete_task_definitions(const Call& call);
  Json list_task_definitions(const Call& call);
  Json list_task_definition_families(const Call& call);

  Json create_service(const Call& call);
  Json update_service(const Call& call);
  Json describe_services(const Call& call);
  Json list_services(const Call& call);
  Json delete_service(const Call& call);
  Json list_service_deployments(const Call& call);
  // revisions.cpp
  Json describe_service_deployments(const Call& call);
  Json describe_service_revisions(const Call& call);
  Json continue_service_deployment(const Call& call);
  Json stop_service_deployment(const Call& call);
  // settings.cpp
  Json update_cluster(const Call& call);
  Json put_cluster_capacity_providers(const Call& call);
  Json describe_capacity_providers(const Call& call);
  Json list_account_settings(const Call& call);
  Json put_account_setting(const Call& call);
  Json delete_account_setting(const Call& call);
  Json refuse_task_sets(const Call& call);
  Json list_container_instances(const Call& call);
  Json describe_container_instances(const Call& call);
  Json list_attributes(const Call& call);
  Json start_task(const Call& call);

  Json run_task(const Call& call);
  Json stop_task(const Call& call);
  Json describe_tasks(const Call& call);
  Json list_tasks(const Call& call);
  Json task_protection(const Call& call);
  // execute_command.cpp
  Json execute_command(const Call& call);
  /// ECS Exec needs a task role. throws Refusal "The `what` because a valid taskRoleArn is not being used. …"
  static void check_can_execute(bool wants_it, const Json& definition, const char* what);

  /// The cluster's name from a name or ARN ("default" when empty). throws Refusal ClusterNotFoundException
  std::string existing_cluster(const Call& call);
  /// A task definition as stored, by family, family:revision or ARN; ACTIVE ones only when `active`. throws Refusal ClientException
  Json find_task_definition(const Call& call, const std::string& name, bool active);
  Json find_task_definition(const Scope& scope, const std::string& name, bool active);
  void check_pass_role(const Call& call, const Json& task_definition) const;
  void check_volumes_at_launch(const Call& call, const Json::Array& configurations,
                               const Json& definition) const;
  Json cluster_answer(const Scope& scope, const std::string& name);
  /// The ARN of the namespace that a call gives as serviceConnectDefaults (empty: none any more), or nothing.
  std::optional<std::string> given_namespace(const Call& call);
  static void set_default_namespace(Json& cluster, const std::optional<std::string>& space);
  /// Of a cluster, for Service Connect: an ARN, or empty.
  std::string default_namespace(const Scope& scope, const std::string& cluster);
  Json service_answer(const Scope& scope, const std::string& key);

  std::unique_ptr<Images> images_;
  Engine engine_;
  ExecSessions sessions_;
};

/// Makes a service's settings the newest PRIMARY deployment; the ones before become ACTIVE.
void add_deployment(ServiceRecord& service, std::int64_t now);
/// throws Refusal InvalidParameterException when a load balancer of the service does not fit the task definition
void check_balancers(const ServiceRecord& service, const Json& definition, elb::Targets& targets);

/// What follows the last '/' of a name or ARN.
std::string last_part(const std::string& name_or_arn);

}  // namespace slipway::cloud::ecs
