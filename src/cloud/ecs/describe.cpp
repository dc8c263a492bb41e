// SPDX-License-Identifier: Apache-2.0
// Services and tasks as the API shows them.
#include <algorithm>

#include "base/text.hpp"
#include "cloud/ecs/model.hpp"
#include "cloud/ecs/pauses.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

double seconds(std::int64_t millis) { return static_cast<double>(millis) / 1000.0; }

void put_time(Json& out, const char* key, std::int64_t millis) {
  if (millis > 0) out[key] = seconds(millis);
}

void put_text(Json& out, const char* key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

Json describe(const Task& task, const TaskContainer& container) {
  Json out =
      Json::object({{"containerArn",
                     arn("ecs", task.scope.region, task.scope.account,
                         fmt::format("container/{}/{}/{}", task.cluster, task.id, container.id))},
                    {"taskArn", task_arn(task)},
                    {"name", container.name},
                    {"image", container.image},
                    {"lastStatus", container.status},
                    {"healthStatus", container.health},
                    {"cpu", container.cpu}});
  put_text(out, "memory", container.memory);
  put_text(out, "memoryReservation", container.memory_reservation);
  put_text(out, "imageDigest", container.image_digest);
  put_text(out, "runtimeId", container.runtime_id);
  put_text(out, "reason", container.reason);
  if (container.exit_code) out["exitCode"] = *container.exit_code;
  if (task.can_execute) {
    bool is_running = container.status == "RUNNING";
    Json agent = Json::object({{"name", "ExecuteCommandAgent"},
                               {"lastStatus", is_running ? "RUNNING" : container.status}});
    if (is_running) put_time(agent, "lastStartedAt", task.started);
    out["managedAgents"] = Json::array({agent});
  }
  out["networkInterfaces"] = Json::array();
  if (!task.address.empty()) {
    out["networkInterfaces"].push_back(
        Json::object({{"attachmentId", task.id}, {"privateIpv4Address", task.address}}));
  }
  return out;
}

// The Cloud Map services of a deployment's Service Connect.
Json connect_resources(const Json& connect) {
  Json out = Json::array();
  std::string space = connect.get_string("namespace");
  for (const auto& one : connect.get_array("services")) {
    out.push_back(Json::object({{"discoveryName", one.get_string("discoveryName")},
                                {"discoveryArn", space.substr(0, space.find(":namespace/")) +
                                                     ":service/" + one.get_string("service")}}));
  }
  return out;
}

Json describe(const Deployment& d, int desired, Counts counts) {
  Json out = Json::object({{"id", d.id},
                           {"status", d.status},
                           {"taskDefinition", d.task_definition_arn},
                           {"desiredCount", desired},
                           {"pendingCount", counts.pending},
                           {"runningCount", counts.running},
                           {"failedTasks", d.progress.failed_tasks},
                           {"createdAt", seconds(d.created)},
                           {"updatedAt", seconds(d.updated)},
                           {"launchType", "FARGATE"},
                           {"platformVersion", "1.4.0"},
                           {"platformFamily", "Linux"},
                           {"rolloutState", d.rollout},
                           {"rolloutStateReason", d.reason}});
  if (!d.network.empty()) out["networkConfiguration"] = d.network;
  if (!d.volumes.empty()) out["volumeConfigurations"] = d.volumes;
  if (const Json* given = d.connect.find("given")) {
    out["serviceConnectConfiguration"] = *given;
    out["serviceConnectResources"] = connect_resources(d.connect);
  }
  return out;
}

// The overrides as DescribeTasks shows them: every container is named.
Json overrides_of(const Task& task) {
  Json out = task.overrides;
  Json::Array list = out.get_array("containerOverrides");
  for (const auto& container : task.containers) {
    bool known = std::any_of(list.begin(), list.end(), [&](const Json& one) {
      return one.get_string("name") == container.name;
    });
    if (!known) list.push_back(Json::object({{"name", container.name}}));
  }
  out["containerOverrides"] = std::move(list);
  if (!out.contains("inferenceAcceleratorOverrides"))
    out["inferenceAcceleratorOverrides"] = Json::array();
  return out;
}

std::string service_deployment_status(const Deployment& d, bool is_current) {
  if (!d.rolled_back_to.empty()) return is_current ? "ROLLBACK_IN_PROGRESS" : "ROLLBACK_SUCCESSFUL";
  if (d.rollout == "COMPLETED") return "SUCCESSFUL";
  if (d.rollout == "FAILED") return "STOPPED";
  return is_current ? "IN_PROGRESS" : "STOPPED";
}

}  // namespace

Json describe(const Task& task) {
  Json out = Json::object(
      {{"taskArn", task_arn(task)},
       {"clusterArn", cluster_arn(task.scope, task.cluster)},
       {"taskDefinitionArn", task.task_definition_arn},
       {"group", task.group},
       {"lastStatus", task.last_status},
       {"desiredStatus", task.desired_status},
       {"healthStatus", task.health()},
       {"launchType", "FARGATE"},
       {"platformVersion", "1.4.0"},
       {"platformFamily", "Linux"},
       {"availabilityZone", task.scope.region + "a"},
       {"version", task.version},
       {"tags", task.tags},
       {"overrides", overrides_of(task)},
       {"enableExecuteCommand", task.can_execute},
       {"attributes",
        Json::array({Json::object({{"name", "ecs.cpu-architecture"}, {"value", "x86_64"}})})},
       {"ephemeralStorage", Json::object({{"sizeInGiB", 20}})}});
  put_text(out, "cpu", task.cpu);
  put_text(out, "memory", task.memory);
  put_text(out, "startedBy", task.started_by);
  put_text(out, "stopCode", task.stop_code);
  put_text(out, "stoppedReason", task.stopped_reason);
  put_time(out, "createdAt", task.created);
  put_time(out, "pullStartedAt", task.pull_started);
  put_time(out, "pullStoppedAt", task.pull_stopped);
  put_time(out, "startedAt", task.started);
  put_time(out, "stoppingAt", task.stopping);
  put_time(out, "stoppedAt", task.stopped);
  if (task.has_stopped()) put_time(out, "executionStoppedAt", task.stopped);
  Json details = Json::array();
  auto detail = [&](const char* name, const std::string& value) {
    if (!value.empty()) details.push_back(Json::object({{"name", name}, {"value", value}}));
  };
  if (const Json* vpc = task.network.find("awsvpcConfiguration");
      vpc && !vpc->get_array("subnets").empty()) {
    detail("subnetId", vpc->get_array("subnets").front().as_string());
  }
  if (!task.address.empty()) detail("networkInterfaceId", "eni-" + task.id.substr(0, 17));
  detail("macAddress", task.mac);
  if (!task.address.empty())
    detail("privateDnsName",
           fmt::format("ip-{}.ec2.internal", replace_all(task.address, ".", "-")));
  detail("privateIPv4Address", task.address);
  if (!task.address.empty()) {
    out["connectivity"] = "CONNECTED";
    put_time(out, "connectivityAt", task.created);
  }
  out["attachments"] = Json::array({Json::object({{"id", task.id},
                                                  {"type", "ElasticNetworkInterface"},
                                                  {"status", task.has_stopped()     ? "DELETED"
                                                             : task.address.empty() ? "PRECREATED"
                                                                                    : "ATTACHED"},
                                                  {"details", details}})});
  for (const auto& volume : task.volumes.as_array()) {
    const Json& asked = volume.at("managedEBSVolume");
    details = Json::array();
    detail("volumeId", volume.get_string("volumeId"));
    detail("volumeSize", std::to_string(asked.get_int("sizeInGiB")));
    detail("volumeName", volume.get_string("name"));
    detail("volumeType", asked.get_string("volumeType", "gp3"));
    detail("filesystemType", asked.get_string("filesystemType", "xfs"));
    detail("roleArn", asked.get_string("roleArn"));
    detail("deleteOnTermination", "true");
    out["attachments"].push_back(Json::object({{"id", volume.get_string("volumeId").substr(4)},
                                               {"type", "AmazonElasticBlockStorage"},
                                               {"status", task.has_stopped()  ? "DELETED"
                                                          : task.started == 0 ? "ATTACHING"
                                                                              : "ATTACHED"},
                                               {"details", details}}));
  }
  out["containers"] = Json::array();
  for (const auto& container : task.containers)
    out["containers"].push_back(describe(task, container));
  return out;
}

namespace {

// Load balancers without what only ECS's own strategies say of them.
Json plain_balancers(const Json::Array& balancers) {
  Json out = Json::array();
  for (Json balancer : balancers) {
    balancer.erase("advancedConfiguration");
    out.push_back(std::move(balancer));
  }
  return out;
}

Json configuration_json(const ServiceRecord& service) {
  Json out = Json::object({{"deploymentCircuitBreaker", to_json(service.breaker)},
                           {"maximumPercent", service.max_percent},
                           {"minimumHealthyPercent", service.min_percent},
                           {"strategy", "ROLLING"},
                           {"bakeTimeInMinutes", 0}});
  if (!service.alarms.empty()) out["alarms"] = service.alarms;
  for (const auto& [key, value] : service.strategy.as_object()) out[key] = value;
  return out;
}

}  // namespace

Json task_sets_of(const ServiceRecord& service, const std::vector<const Task*>& tasks) {
  Json sets = Json::array();
  bool is_shifted = service.deployments.size() == 1 || service.deployments.front().weight == 100;
  for (const auto& d : service.deployments) {
    bool is_new = &d == &service.deployments.front();
    Counts counts = count(tasks, d.id);
    bool is_steady = counts.pending == 0 && counts.running == service.desired;
    std::string id = d.id;
    Json one = Json::object({{"id", id},
                             {"taskSetArn", arn("ecs", service.scope.region, service.scope.account,
                                                fmt::format("task-set/{}/{}", service.key(),
                                                            id.substr(id.find('/') + 1)))},
                             {"serviceArn", service_arn(service)},
                             {"clusterArn", cluster_arn(service.scope, service.cluster)},
                             {"startedBy", "CODE_DEPLOY"},
                             {"status", is_new == is_shifted ? "PRIMARY" : "ACTIVE"},
                             {"taskDefinition", d.task_definition_arn},
                             {"computedDesiredCount", service.desired},
                             {"pendingCount", counts.pending},
                             {"runningCount", counts.running},
                             {"createdAt", seconds(d.created)},
                             {"updatedAt", seconds(d.updated)},
                             {"launchType", "FARGATE"},
                             {"platformVersion", "1.4.0"},
                             {"platformFamily", "Linux"},
                             {"loadBalancers", plain_balancers(d.load_balancers.as_array())},
                             {"serviceRegistries", Json::array()},
                             {"scale", Json::object({{"value", 100.0}, {"unit", "PERCENT"}})},
                             {"stabilityStatus", is_steady ? "STEADY_STATE" : "STABILIZING"},
                             {"stabilityStatusAt", seconds(d.updated)}});
    if (!d.network.empty()) one["networkConfiguration"] = d.network;
    sets.push_back(std::move(one));
  }
  return sets;
}

Json describe(const ServiceRecord& service, const std::vector<const Task*>& tasks) {
  Counts all = count(tasks, "");
  Json out = Json::object({{"serviceArn", service_arn(service)},
                           {"serviceName", service.name},
                           {"clusterArn", cluster_arn(service.scope, service.cluster)},
                           {"status", service.status},
                           {"desiredCount", service.desired},
                           {"runningCount", all.running},
                           {"pendingCount", all.pending},
                           {"launchType", "FARGATE"},
                           {"platformVersion", "LATEST"},
                           {"platformFamily", "Linux"},
                           {"taskDefinition", service.task_definition_arn},
                           {"createdAt", seconds(service.created)},
                           {"healthCheckGracePeriodSeconds", service.grace_seconds},
                           {"schedulingStrategy", "REPLICA"},
                           {"deploymentController", Json::object({{"type", service.controller()}})},
                           {"createdBy", service.created_by}});
  out["deploymentConfiguration"] = configuration_json(service);
  for (const char* key :
       {"loadBalancers", "serviceRegistries", "networkConfiguration", "enableECSManagedTags",
        "propagateTags", "enableExecuteCommand", "roleArn", "capacityProviderStrategy",
        "availabilityZoneRebalancing", "placementConstraints", "placementStrategy"}) {
    if (const Json* value = service.settings.find(key)) out[key] = *value;
  }
  for (const auto& [key, otherwise] : {std::pair<const char*, Json>{"enableECSManagedTags", false},
                                       {"enableExecuteCommand", false},
                                       {"propagateTags", "NONE"},
                                       {"availabilityZoneRebalancing", "ENABLED"}}) {
    if (!out.contains(key)) out[key] = otherwise;
  }
  for (const char* key :
       {"loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy"}) {
    if (!out.contains(key)) out[key] = Json::array();
  }
  if (!service.tags.empty()) out["tags"] = service.tags;
  out["events"] = Json::Array(service.events);
  out["deployments"] = Json::array();
  if (service.controller() == "CODE_DEPLOY") {
    out["taskSets"] = task_sets_of(service, tasks);
    out["loadBalancers"] = plain_balancers(out.get_array("loadBalancers"));
    return out;
  }
  for (const auto& deployment : service.deployments) {
    int desired = deployment.status == "PRIMARY" ? service.desired : 0;
    out["deployments"].push_back(describe(deployment, desired, count(tasks, deployment.id)));
  }
  Json revisions = Json::array();
  for (const auto& d : service.deployments) {
    Counts counts = count(tasks, d.id);
    revisions.push_back(
        Json::object({{"arn", service_revision_arn(service, d)},
                      {"requestedTaskCount", d.status == "PRIMARY" ? service.desired : 0},
                      {"runningTaskCount", counts.running},
                      {"pendingTaskCount", counts.pending}}));
  }
  out["currentServiceRevisions"] = std::move(revisions);
  if (const auto* d = service.primary())
    out["currentServiceDeployment"] = service_deployment_arn(service, *d);
  return out;
}

std::string service_deployment_arn(const ServiceRecord& service, const Deployment& d) {
  return arn(
      "ecs", service.scope.region, service.scope.account,
      fmt::format("service-deployment/{}/{}", service.key(), d.id.substr(d.id.find('/') + 1)));
}

std::string service_revision_arn(const ServiceRecord& service, const Deployment& d) {
  return arn("ecs", service.scope.region, service.scope.account,
             fmt::format("service-revision/{}/{}", service.key(), d.id.substr(d.id.find('/') + 1)));
}

Json describe_service_deployment(const ServiceRecord& service, const Deployment& d) {
  bool is_current = std::any_of(service.deployments.begin(), service.deployments.end(),
                                [&](const Deployment& other) { return other.id == d.id; });
  Json out = Json::object(
      {{"serviceDeploymentArn", service_deployment_arn(service, d)},
       {"serviceArn", service_arn(service)},
       {"clusterArn", cluster_arn(service.scope, service.cluster)},
       {"createdAt", seconds(d.created)},
       {"startedAt", seconds(d.created)},
       {"updatedAt", seconds(d.updated)},
       {"status", service_deployment_status(d, is_current)},
       {"statusReason", d.reason},
       {"targetServiceRevision",
        Json::object({{"arn", service_revision_arn(service, d)},
                      {"requestedTaskCount", d.status == "PRIMARY" ? service.desired : 0}})},
       {"deploymentConfiguration", configuration_json(service)}});
  if (d.finished > 0) out["finishedAt"] = seconds(d.finished);
  // The stage before the traffic has a name for hooks only.
  put_text(out, "lifecycleStage",
           d.stage == "PRE_PRODUCTION_TRAFFIC_SHIFT" ? "POST_TEST_TRAFFIC_SHIFT" : d.stage);
  if (!d.pauses.empty()) out["lifecycleHookDetails"] = pause_details(d);
  if (service.breaker.enabled) {
    out["deploymentCircuitBreaker"] =
        Json::object({{"failureCount", d.progress.failed_tasks},
                      {"status", d.progress.has_tripped       ? "TRIGGERED"
                                 : d.rollout == "IN_PROGRESS" ? "MONITORING"
                                                              : "MONITORING_COMPLETE"},
                      {"threshold", breaker_threshold(service.breaker, service.desired)}});
  }
  return out;
}

}  // namespace slipway::cloud::ecs
