// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/api.hpp"

#include "base/task_group.hpp"
#include "cloud/cloudwatch/alarms.hpp"
#include "cloud/ecs/ecs.hpp"
#include "cloud/ecs/service_meter.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {

Ecs::Ecs(const Surroundings& around, std::unique_ptr<Images> images, elb::Targets& targets)
    : images_(std::move(images)), engine_(around, *images_, targets) {
  around.alarms.on_change([this] { engine_.change([](World&) {}); });  // the scheduler looks again
}

void Ecs::run(std::stop_token stop) {
  TaskGroup all(stop);
  all.start([this](const std::stop_token& s) { meter_services(engine_, s); });
  all.start([this](const std::stop_token& s) { engine_.run(s); });
  all.join();
}

const ServiceDescription& Ecs::description() const {
  static const ServiceDescription kDescription{
      .signing_name = "ecs",
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
      {"ContinueServiceDeployment", &Ecs::continue_service_deployment},
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
      {"ListContainerInstances", &Ecs::list_container_instances},
      {"DescribeContainerInstances", &Ecs::describe_container_instances},
      {"ListAttributes", &Ecs::list_attributes},
      {"StartTask", &Ecs::start_task},
      {"GetTaskProtection", &Ecs::task_protection},
      {"UpdateTaskProtection", &Ecs::task_protection},
      {"RunTask", &Ecs::run_task},
      {"ExecuteCommand", &Ecs::execute_command},
      {"StopTask", &Ecs::stop_task},
      {"DescribeTasks", &Ecs::describe_tasks},
      {"ListTasks", &Ecs::list_tasks},
  };
  return kOperations;
}

bool Ecs::has(std::string_view operation) const { return operations().contains(operation); }

Json Ecs::call(const Call& call) { return dispatch(*this, operations(), call); }

namespace {

std::string member_text(const Call& call, const char* key) {
  return call.input.is_object() ? call.input.get_string(key) : std::string();
}

// Every string of a list member.
std::vector<std::string> member_texts(const Call& call, const char* key) {
  std::vector<std::string> out;
  const Json* list = call.input.is_object() ? call.input.find(key) : nullptr;
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& item : list->as_array()) {
    if (item.is_string()) out.push_back(item.as_string());
  }
  return out;
}

// On what kind of resource an operation is asked for, and which member names it; all others are asked for on "*".
struct Named {
  const char* kind;  // "service": "service/CLUSTER/NAME"; "arn": the member is the ARN itself
  const char* one;   // a member with one name; nullptr: none
  const char* many;  // a member with a list of names; nullptr: none
};

// source Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Service"
const std::map<std::string_view, Named>& named_resources() {
  static const std::map<std::string_view, Named> kNamed = {
      {"UpdateService", {"service", "service", nullptr}},
      {"CreateService", {"service", "serviceName", nullptr}},
      {"DeleteService", {"service", "service", nullptr}},
      {"DescribeServices", {"service", nullptr, "services"}},
      {"ListServiceDeployments", {"service", "service", nullptr}},
      {"StopServiceDeployment", {"arn", "serviceDeploymentArn", nullptr}},
      {"ContinueServiceDeployment", {"arn", "serviceDeploymentArn", nullptr}},
      {"DescribeServiceDeployments", {"arn", nullptr, "serviceDeploymentArns"}},
      {"DescribeServiceRevisions", {"arn", nullptr, "serviceRevisionArns"}},
      {"DescribeTasks", {"task", nullptr, "tasks"}},
      {"StopTask", {"task", "task", nullptr}},
      {"ExecuteCommand", {"task", "task", nullptr}},
      {"GetTaskProtection", {"task", nullptr, "tasks"}},
      {"UpdateTaskProtection", {"task", nullptr, "tasks"}},
      {"DescribeClusters", {"cluster", nullptr, "clusters"}},
      {"DeleteCluster", {"cluster", "cluster", nullptr}},
      {"UpdateCluster", {"cluster", "cluster", nullptr}},
      {"UpdateClusterSettings", {"cluster", "cluster", nullptr}},
      {"PutClusterCapacityProviders", {"cluster", "cluster", nullptr}},
      {"TagResource", {"arn", "resourceArn", nullptr}},
      {"UntagResource", {"arn", "resourceArn", nullptr}},
      {"ListTagsForResource", {"arn", "resourceArn", nullptr}},
  };
  return kNamed;
}

}  // namespace

std::vector<Permission> Ecs::permissions(const Call& call) const {
  std::string action = "ecs:" + call.operation;
  std::string cluster = last_part(member_text(call, "cluster"));
  if (cluster.empty()) cluster = "default";
  std::map<std::string, std::vector<std::string>> context = {
      {"ecs:cluster", {cluster_arn(scope_of(call), cluster)}}};
  if (call.operation == "RunTask") {
    std::string name = member_text(call, "taskDefinition");
    if (!name.starts_with("arn:"))
      name = arn("ecs", call.region, call.account,
                 "task-definition/" + name + (name.find(':') == std::string::npos ? ":*" : ""));
    return {{action, name, context}};
  }
  auto found = named_resources().find(call.operation);
  if (found == named_resources().end()) return {{action, "*", context}};
  const Named& named = found->second;
  auto names = named.many ? member_texts(call, named.many)
                          : std::vector<std::string>{member_text(call, named.one)};
  std::vector<Permission> out;
  for (const auto& name : names) {
    std::string_view kind = named.kind;
    std::string resource =
        kind == "arn" ? name
        : kind == "cluster"
            ? cluster_arn(scope_of(call), name.empty() ? "default" : last_part(name))
            : arn("ecs", call.region, call.account,
                  fmt::format("{}/{}/{}", kind, cluster, last_part(name)));
    out.push_back({action, resource, context});
  }
  if (out.empty()) out.push_back({action, "*", context});
  return out;
}

std::string last_part(const std::string& name_or_arn) {
  auto slash = name_or_arn.find_last_of('/');
  return slash == std::string::npos ? name_or_arn : name_or_arn.substr(slash + 1);
}

std::unique_ptr<Service> make(const Surroundings& around, std::unique_ptr<Images> images,
                              elb::Targets& targets, Deployer** deployer) {
  auto made = std::make_unique<Ecs>(around, std::move(images), targets);
  if (deployer != nullptr) *deployer = made.get();
  return made;
}

}  // namespace slipway::cloud::ecs
