// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/api.hpp"

#include "cloud/ecs/ecs.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {

Ecs::Ecs(const Surroundings& around, std::unique_ptr<Images> images, elb::Targets& targets)
    : images_(std::move(images)), engine_(around, *images_, targets) {}

const ServiceDescription& Ecs::description() const {
  static const ServiceDescription kDescription{.signing_name = "ecs",
                                               .target_prefix = "AmazonEC2ContainerServiceV20141113",
                                               .api_version = "2014-11-13",
                                               .protocol = Protocol::json_1_1,
                                               .host_prefixes = {"ecs"}};
  return kDescription;
}

const Operations<Ecs>& Ecs::operations() {
  static const Operations<Ecs> kOperations = {
      {"CreateCluster", &Ecs::create_cluster},
      {"DescribeClusters", &Ecs::describe_clusters},
      {"ListClusters", &Ecs::list_clusters},
      {"DeleteCluster", &Ecs::delete_cluster},
      {"TagResource", &Ecs::tag_resource},
      {"UntagResource", &Ecs::untag_resource},
      {"ListTagsForResource", &Ecs::list_tags_for_resource},
      {"RegisterTaskDefinition", &Ecs::register_task_definition},
      {"DescribeTaskDefinition", &Ecs::describe_task_definition},
      {"DeregisterTaskDefinition", &Ecs::deregister_task_definition},
      {"ListTaskDefinitions", &Ecs::list_task_definitions},
      {"ListTaskDefinitionFamilies", &Ecs::list_task_definition_families},
      {"CreateService", &Ecs::create_service},
      {"UpdateService", &Ecs::update_service},
      {"DescribeServices", &Ecs::describe_services},
      {"ListServices", &Ecs::list_services},
      {"DeleteService", &Ecs::delete_service},
      {"ListServiceDeployments", &Ecs::list_service_deployments},
      {"DescribeServiceDeployments", &Ecs::describe_service_deployments},
      {"DescribeServiceRevisions", &Ecs::describe_service_revisions},
      {"StopServiceDeployment", &Ecs::stop_service_deployment},
      {"DeleteTaskDefinitions", &Ecs::delete_task_definitions},
      {"UpdateCluster", &Ecs::update_cluster},
      {"UpdateClusterSettings", &Ecs::update_cluster},
      {"PutClusterCapacityProviders", &Ecs::put_cluster_capacity_providers},
      {"DescribeCapacityProviders", &Ecs::describe_capacity_providers},
      {"ListAccountSettings", &Ecs::list_account_settings},
      {"PutAccountSetting", &Ecs::put_account_setting},
      {"PutAccountSettingDefault", &Ecs::put_account_setting},
      {"DeleteAccountSetting", &Ecs::delete_account_setting},
      {"DescribeTaskSets", &Ecs::refuse_task_sets},
      {"CreateTaskSet", &Ecs::refuse_task_sets},
      {"UpdateTaskSet", &Ecs::refuse_task_sets},
      {"DeleteTaskSet", &Ecs::refuse_task_sets},
      {"GetTaskProtection", &Ecs::task_protection},
      {"UpdateTaskProtection", &Ecs::task_protection},
      {"RunTask", &Ecs::run_task},
      {"StopTask", &Ecs::stop_task},
      {"DescribeTasks", &Ecs::describe_tasks},
      {"ListTasks", &Ecs::list_tasks},
  };
  return kOperations;
}

bool Ecs::has(std::string_view operation) const { return operations().contains(operation); }

Json Ecs::call(const Call& call) { return dispatch(*this, operations(), call); }

// The resources that policies for a deployment usually name; everything else is asked for on "*".
std::vector<Permission> Ecs::permissions(const Call& call) const {
  std::string action = "ecs:" + call.operation;
  auto text = [&](const char* key) { return call.input.is_object() ? call.input.get_string(key) : std::string(); };
  std::string cluster = last_part(text("cluster"));
  if (cluster.empty()) cluster = "default";
  if (call.operation == "UpdateService" || call.operation == "CreateService" || call.operation == "DeleteService") {
    std::string name = last_part(text(call.operation == "CreateService" ? "serviceName" : "service"));
    return {{action, arn("ecs", call.region, call.account, "service/" + cluster + "/" + name),
             {{"ecs:cluster", {cluster_arn(scope_of(call), cluster)}}}}};
  }
  if (call.operation == "DescribeServices") {
    std::vector<Permission> out;
    for (const auto& item : call.input.get_array("services")) {
      if (item.is_string()) out.push_back({action, arn("ecs", call.region, call.account, "service/" + cluster + "/" + last_part(item.as_string())), {}});
    }
    if (!out.empty()) return out;
  }
  if (call.operation == "RunTask") {
    std::string name = text("taskDefinition");
    if (!name.starts_with("arn:")) name = arn("ecs", call.region, call.account, "task-definition/" + name + (name.find(':') == std::string::npos ? ":*" : ""));
    return {{action, name, {{"ecs:cluster", {cluster_arn(scope_of(call), cluster)}}}}};
  }
  return {{action, "*", {}}};
}

std::string last_part(const std::string& name_or_arn) {
  auto slash = name_or_arn.find_last_of('/');
  return slash == std::string::npos ? name_or_arn : name_or_arn.substr(slash + 1);
}

std::unique_ptr<Service> make(const Surroundings& around, std::unique_ptr<Images> images, elb::Targets& targets) {
  return std::make_unique<Ecs>(around, std::move(images), targets);
}

}  // namespace slipway::cloud::ecs
