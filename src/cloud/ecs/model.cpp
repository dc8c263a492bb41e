// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/model.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

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
                       {"volumes", d.volumes},
                       {"connect", d.connect},
                       {"stage", d.stage},
                       {"stageSince", d.stage_since},
                       {"weight", d.weight},
                       {"isHeld", d.is_held},
                       {"isReady", d.is_ready},
                       {"hasLooked", d.has_looked},
                       {"ignoredAlarms", d.ignored_alarms},
                       {"pauses", d.pauses},
                       {"goodSince", d.good_since}});
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
          .volumes = Json(json.get_array("volumes")),
          .connect = json.contains("connect") ? json.at("connect") : Json::object(),
          .stage = json.get_string("stage"),
          .stage_since = json.get_int("stageSince"),
          .weight = static_cast<int>(json.get_int("weight")),
          .is_held = json.get_bool("isHeld"),
          .is_ready = json.get_bool("isReady"),
          .has_looked = json.get_bool("hasLooked"),
          .ignored_alarms = Json(json.get_array("ignoredAlarms")),
          .pauses = Json(json.get_array("pauses")),
          .good_since = json.get_int("goodSince")};
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

}  // namespace

Json to_json(const Breaker& breaker) {
  Json out = Json::object({{"enable", breaker.enabled}, {"rollback", breaker.rolls_back}});
  if (!breaker.resets_on_healthy) out["resetOnHealthyTask"] = false;
  if (breaker.kind != Breaker::Kind::bounded_percent || breaker.value != 50) {
    out["thresholdConfiguration"] =
        Json::object({{"type", name_of(breaker.kind)}, {"value", breaker.value}});
  }
  return out;
}

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
                       {"aliases", task.aliases},
                       {"volumes", task.volumes},
                       {"names", task.names},
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
  task.aliases = Json(json.get_array("aliases"));
  task.volumes = Json(json.get_array("volumes"));
  task.names = Json(json.get_array("names"));
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
                       {"breaker", to_json(service.breaker)},
                       {"grace", service.grace_seconds},
                       {"settings", service.settings},
                       {"strategy", service.strategy},
                       {"alarms", service.alarms},
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
  if (const Json* alarms = json.find("alarms")) service.alarms = *alarms;
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

}  // namespace slipway::cloud::ecs
