// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/model.hpp"

#include <algorithm>

#include "base/text.hpp"
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

std::string_view name_of(Breaker::Kind kind) {
  return kind == Breaker::Kind::count               ? "COUNT"
         : kind == Breaker::Kind::unbounded_percent ? "UNBOUNDED_PERCENT"
                                                    : "BOUNDED_PERCENT";
}

Json to_json(const TaskContainer& container) {
  Json out = Json::object({{"name", container.name},
                           {"id", container.id},
                           {"image", container.image},
                           {"imageDigest", container.image_digest},
                           {"runtimeId", container.runtime_id},
                           {"status", container.status},
                           {"health", container.health},
                           {"reason", container.reason},
                           {"essential", container.is_essential},
                           {"healthCheck", container.has_health_check},
                           {"cpu", container.cpu},
                           {"memory", container.memory},
                           {"memoryReservation", container.memory_reservation},
                           {"logOffset", static_cast<std::int64_t>(container.log_offset)}});
  if (container.exit_code) out["exitCode"] = *container.exit_code;
  return out;
}

TaskContainer container_from_json(const Json& json) {
  TaskContainer out{.name = json.get_string("name"),
                    .id = json.get_string("id"),
                    .image = json.get_string("image"),
                    .image_digest = json.get_string("imageDigest"),
                    .runtime_id = json.get_string("runtimeId"),
                    .status = json.get_string("status"),
                    .health = json.get_string("health"),
                    .exit_code = {},
                    .reason = json.get_string("reason"),
                    .is_essential = json.get_bool("essential"),
                    .has_health_check = json.get_bool("healthCheck"),
                    .cpu = json.get_string("cpu", "0"),
                    .memory = json.get_string("memory"),
                    .memory_reservation = json.get_string("memoryReservation"),
                    .log_offset = static_cast<std::uint64_t>(json.get_int("logOffset"))};
  if (json.contains("exitCode")) out.exit_code = static_cast<int>(json.get_int("exitCode"));
  return out;
}

Json to_json(const Deployment& d) {
  return Json::object({{"id", d.id},
                       {"status", d.status},
                       {"rollout", d.rollout},
                       {"reason", d.reason},
                       {"taskDefinition", d.task_definition_arn},
                       {"failedTasks", d.progress.failed_tasks},
                       {"tripped", d.progress.has_tripped},
                       {"created", d.created},
                       {"updated", d.updated},
                       {"finished", d.finished},
                       {"rollback", d.is_rollback},
                       {"failures", d.failures_in_a_row},
                       {"notBefore", d.not_before},
                       {"rolledBackTo", d.rolled_back_to},
                       {"digests", d.digests},
                       {"network", d.network},
                       {"loadBalancers", d.load_balancers},
                       {"stage", d.stage},
                       {"stageSince", d.stage_since},
                       {"weight", d.weight},
                       {"isHeld", d.is_held},
                       {"isReady", d.is_ready}});
}

Deployment deployment_from_json(const Json& json) {
  return {.id = json.get_string("id"),
          .status = json.get_string("status"),
          .rollout = json.get_string("rollout"),
          .reason = json.get_string("reason"),
          .task_definition_arn = json.get_string("taskDefinition"),
          .progress = {static_cast<int>(json.get_int("failedTasks")), json.get_bool("tripped")},
          .created = json.get_int("created"),
          .updated = json.get_int("updated"),
          .finished = json.get_int("finished"),
          .is_rollback = json.get_bool("rollback"),
          .failures_in_a_row = static_cast<int>(json.get_int("failures")),
          .not_before = json.get_int("notBefore"),
          .rolled_back_to = json.get_string("rolledBackTo"),
          .digests = json.at("digests"),
          .network = json.at("network"),
          .load_balancers = json.at("loadBalancers"),
          .stage = json.get_string("stage"),
          .stage_since = json.get_int("stageSince"),
          .weight = static_cast<int>(json.get_int("weight")),
          .is_held = json.get_bool("isHeld"),
          .is_ready = json.get_bool("isReady")};
}

Json to_json(const std::vector<Deployment>& deployments) {
  Json::Array out;
  for (const auto& deployment : deployments) out.push_back(to_json(deployment));
  return out;
}

std::vector<Deployment> deployments_from_json(const Json& json, const char* key) {
  std::vector<Deployment> out;
  for (const auto& item : json.get_array(key)) out.push_back(deployment_from_json(item));
  return out;
}

Json breaker_json(const Breaker& breaker) {
  Json out = Json::object({{"enable", breaker.enabled}, {"rollback", breaker.rolls_back}});
  if (!breaker.resets_on_healthy) out["resetOnHealthyTask"] = false;
  if (breaker.kind != Breaker::Kind::bounded_percent || breaker.value != 50) {
    out["thresholdConfiguration"] =
        Json::object({{"type", name_of(breaker.kind)}, {"value", breaker.value}});
  }
  return out;
}

Breaker breaker_from_json(const Json& json) {
  Breaker out{.enabled = json.get_bool("enable"),
              .rolls_back = json.get_bool("rollback"),
              .resets_on_healthy = json.get_bool("resetOnHealthyTask", true)};
  if (const Json* threshold = json.find("thresholdConfiguration")) {
    std::string type = threshold->get_string("type");
    out.kind = type == "COUNT"               ? Breaker::Kind::count
               : type == "UNBOUNDED_PERCENT" ? Breaker::Kind::unbounded_percent
                                             : Breaker::Kind::bounded_percent;
    out.value = static_cast<int>(threshold->get_int("value"));
  }
  return out;
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
  out["networkInterfaces"] = Json::array();
  if (!task.address.empty()) {
    out["networkInterfaces"].push_back(
        Json::object({{"attachmentId", task.id}, {"privateIpv4Address", task.address}}));
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

std::string Task::health() const {
  bool is_unknown = false;
  bool has_check = false;
  for (const auto& container : containers) {
    if (!container.is_essential) continue;
    if (container.health == "UNHEALTHY") return "UNHEALTHY";
    if (container.has_health_check) has_check = true;
    if (container.has_health_check && container.health != "HEALTHY") is_unknown = true;
  }
  return has_check && !is_unknown ? "HEALTHY" : "UNKNOWN";
}

std::string cluster_arn(const Scope& scope, const std::string& cluster) {
  return arn("ecs", scope.region, scope.account, "cluster/" + cluster);
}
std::string service_arn(const ServiceRecord& service) {
  return arn("ecs", service.scope.region, service.scope.account, "service/" + service.key());
}
std::string task_arn(const Task& task) {
  return arn("ecs", task.scope.region, task.scope.account, "task/" + task.key());
}

std::string mac_of(const std::string& address) {
  std::string out = "02:42";
  for (const auto& part : split(address, '.'))
    out += fmt::format(":{:02x}", to_integer(part).value_or(0));
  return out;
}

Task new_task(const Scope& scope, const std::string& cluster, const Json& definition,
              std::int64_t now) {
  Task task;
  task.scope = scope;
  task.cluster = cluster;
  task.id = hex(random_bytes(16));
  task.task_definition_arn = definition.get_string("taskDefinitionArn");
  task.cpu = definition.get_string("cpu");
  task.memory = definition.get_string("memory");
  task.created = now;
  for (const auto& item : definition.get_array("containerDefinitions")) {
    TaskContainer container;
    container.name = item.get_string("name");
    container.id = uuid();
    container.image = item.get_string("image");
    container.is_essential = item.get_bool("essential", true);
    container.has_health_check = item.contains("healthCheck");
    container.cpu = std::to_string(item.get_int("cpu"));
    if (item.contains("memory")) container.memory = std::to_string(item.get_int("memory"));
    if (item.contains("memoryReservation"))
      container.memory_reservation = std::to_string(item.get_int("memoryReservation"));
    task.containers.push_back(std::move(container));
  }
  return task;
}

std::string new_deployment_id() {
  std::string digits;
  for (char c : random_bytes(19))
    digits += static_cast<char>('0' + static_cast<unsigned char>(c) % 10);
  if (digits[0] == '0') digits[0] = '9';
  return "ecs-svc/" + digits;
}

Json to_json(const Task& task) {
  Json containers = Json::array();
  for (const auto& container : task.containers) containers.push_back(to_json(container));
  return Json::object({{"cluster", task.cluster},
                       {"id", task.id},
                       {"taskDefinition", task.task_definition_arn},
                       {"group", task.group},
                       {"service", task.service},
                       {"deployment", task.deployment},
                       {"startedBy", task.started_by},
                       {"lastStatus", task.last_status},
                       {"desiredStatus", task.desired_status},
                       {"stopCode", task.stop_code},
                       {"stoppedReason", task.stopped_reason},
                       {"address", task.address},
                       {"mac", task.mac},
                       {"overrides", task.overrides},
                       {"network", task.network},
                       {"tags", task.tags},
                       {"containers", containers},
                       {"created", task.created},
                       {"pullStarted", task.pull_started},
                       {"pullStopped", task.pull_stopped},
                       {"started", task.started},
                       {"stopping", task.stopping},
                       {"stopped", task.stopped},
                       {"version", task.version},
                       {"wasHealthy", task.was_healthy},
                       {"counted", task.is_counted},
                       {"target", task.is_target},
                       {"cpu", task.cpu},
                       {"memory", task.memory},
                       {"execute", task.can_execute},
                       {"protectedUntil", task.protected_until}});
}

Task task_from_json(const Scope& scope, const Json& json) {
  Task task;
  task.scope = scope;
  task.cluster = json.get_string("cluster");
  task.id = json.get_string("id");
  task.task_definition_arn = json.get_string("taskDefinition");
  task.group = json.get_string("group");
  task.service = json.get_string("service");
  task.deployment = json.get_string("deployment");
  task.started_by = json.get_string("startedBy");
  task.last_status = json.get_string("lastStatus");
  task.desired_status = json.get_string("desiredStatus");
  task.stop_code = json.get_string("stopCode");
  task.stopped_reason = json.get_string("stoppedReason");
  task.address = json.get_string("address");
  task.mac = json.get_string("mac");
  task.overrides = json.at("overrides");
  task.network = json.at("network");
  task.tags = json.at("tags");
  for (const auto& item : json.get_array("containers"))
    task.containers.push_back(container_from_json(item));
  task.created = json.get_int("created");
  task.pull_started = json.get_int("pullStarted");
  task.pull_stopped = json.get_int("pullStopped");
  task.started = json.get_int("started");
  task.stopping = json.get_int("stopping");
  task.stopped = json.get_int("stopped");
  task.version = json.get_int("version");
  task.was_healthy = json.get_bool("wasHealthy");
  task.is_counted = json.get_bool("counted");
  task.is_target = json.get_bool("target");
  task.cpu = json.get_string("cpu");
  task.memory = json.get_string("memory");
  task.can_execute = json.get_bool("execute");
  task.protected_until = json.get_int("protectedUntil");
  return task;
}

Json to_json(const ServiceRecord& service) {
  return Json::object({{"cluster", service.cluster},
                       {"name", service.name},
                       {"status", service.status},
                       {"desired", service.desired},
                       {"taskDefinition", service.task_definition_arn},
                       {"minPercent", service.min_percent},
                       {"maxPercent", service.max_percent},
                       {"breaker", breaker_json(service.breaker)},
                       {"grace", service.grace_seconds},
                       {"settings", service.settings},
                       {"strategy", service.strategy},
                       {"tags", service.tags},
                       {"deployments", to_json(service.deployments)},
                       {"history", to_json(service.history)},
                       {"events", Json::Array(service.events)},
                       {"created", service.created},
                       {"createdBy", service.created_by}});
}

ServiceRecord service_from_json(const Scope& scope, const Json& json) {
  ServiceRecord service;
  service.scope = scope;
  service.cluster = json.get_string("cluster");
  service.name = json.get_string("name");
  service.status = json.get_string("status");
  service.desired = static_cast<int>(json.get_int("desired"));
  service.task_definition_arn = json.get_string("taskDefinition");
  service.min_percent = static_cast<int>(json.get_int("minPercent"));
  service.max_percent = static_cast<int>(json.get_int("maxPercent"));
  service.breaker = breaker_from_json(json.at("breaker"));
  service.grace_seconds = static_cast<int>(json.get_int("grace"));
  service.settings = json.at("settings");
  if (const Json* strategy = json.find("strategy")) service.strategy = *strategy;
  service.tags = json.at("tags");
  service.deployments = deployments_from_json(json, "deployments");
  service.history = deployments_from_json(json, "history");
  service.events = json.get_array("events");
  service.created = json.get_int("created");
  service.created_by = json.get_string("createdBy");
  return service;
}

const Json::Array& balancers_of(const ServiceRecord& service, const std::string& deployment) {
  for (const auto* list : {&service.deployments, &service.history}) {
    for (const auto& d : *list) {
      if (d.id == deployment) return d.load_balancers.as_array();
    }
  }
  return service.settings.get_array("loadBalancers");
}

Counts count(const std::vector<const Task*>& tasks, const std::string& deployment) {
  Counts counts;
  for (const auto* task : tasks) {
    if (!deployment.empty() && task->deployment != deployment) continue;
    if (task->last_status == "RUNNING") {
      ++counts.running;
    } else if (!task->is_stopping()) {
      ++counts.pending;
    }
  }
  return counts;
}

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
  Json out = Json::object({{"deploymentCircuitBreaker", breaker_json(service.breaker)},
                           {"maximumPercent", service.max_percent},
                           {"minimumHealthyPercent", service.min_percent},
                           {"strategy", "ROLLING"},
                           {"bakeTimeInMinutes", 0}});
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
  put_text(out, "lifecycleStage", d.stage);
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
