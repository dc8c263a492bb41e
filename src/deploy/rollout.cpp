// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout.hpp"

#include "base/error.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// The service must be there, active, and deployed by ECS itself.
void check(const Json& service, const std::string& name) {
  std::string status = service.get_string("status");
  if (status != "ACTIVE") fail(Fault::failed, "service '{}' is {}", name, status);
  const Json* controller = service.find("deploymentController");
  std::string type = controller ? controller->get_string("type", "ECS") : "ECS";
  if (type != "ECS")
    fail(Fault::unsupported, "service '{}' has the deployment controller {}: only ECS is supported",
         name, type);
}

Json update_input(const RolloutRequest& request, const Json& before) {
  Json input = Json::object({{"cluster", request.cluster},
                             {"service", request.service},
                             {"taskDefinition", request.task_definition},
                             {"forceNewDeployment", request.force_new_deployment}});
  if (request.desired_count) input["desiredCount"] = *request.desired_count;
  if (request.strategy.is_object() && !before.get_array("loadBalancers").empty()) {
    const Json* own = before.find("deploymentConfiguration");
    Json configuration = own && own->is_object() ? *own : Json::object();
    for (const auto& [key, value] : request.strategy.as_object()) configuration[key] = value;
    input["deploymentConfiguration"] = std::move(configuration);
  }
  if (request.more.is_object()) {
    for (const auto& [key, value] : request.more.as_object()) input[key] = value;
  }
  return input;
}

}  // namespace

Json describe_service(Calls& calls, const std::string& cluster, const std::string& service,
                      const std::stop_token& stop) {
  auto answer =
      calls.call("ecs", "DescribeServices",
                 Json::object({{"cluster", cluster}, {"services", Json::array({service})}}), stop);
  const Json& value = answer.value();
  const auto& services = value.get_array("services");
  if (!services.empty()) return services.front();
  const auto& failures = value.get_array("failures");
  std::string reason =
      failures.empty() ? "MISSING" : failures.front().get_string("reason", "MISSING");
  fail(Fault::not_found, "service '{}' is {} in cluster '{}'", service, reason, cluster);
}

const Json* primary_of(const Json& service) {
  for (const auto& deployment : service.get_array("deployments")) {
    if (deployment.get_string("status") == "PRIMARY") return &deployment;
  }
  return nullptr;
}

const Json* deployment_of(const Json& service, const std::string& id) {
  for (const auto& deployment : service.get_array("deployments")) {
    if (deployment.get_string("id") == id) return &deployment;
  }
  return nullptr;
}

Rollout start_rollout(Calls& calls, const RolloutRequest& request, const std::stop_token& stop) {
  return start_rollout(calls, request,
                       describe_service(calls, request.cluster, request.service, stop), stop);
}

Rollout start_rollout(Calls& calls, const RolloutRequest& request, const Json& before,
                      const std::stop_token& stop) {
  check(before, request.service);
  Json service =
      calls.call("ecs", "UpdateService", update_input(request, before), stop).value().at("service");
  return rollout_of(request, service, before);
}

Rollout rollout_of(const RolloutRequest& request, const Json& service, const Json& before) {
  Rollout rollout{.cluster = request.cluster, .service = request.service};
  if (const Json* primary = primary_of(before)) {
    rollout.previous_deployment = primary->get_string("id");
    rollout.previous_task_definition = primary->get_string("taskDefinition");
  }
  if (const auto& events = before.get_array("events"); !events.empty())
    rollout.last_event = events.front().get_string("id");
  rollout.accepted_at = std::chrono::steady_clock::now();
  rollout.desired = static_cast<int>(service.get_int("desiredCount"));
  rollout.task_definition = service.get_string("taskDefinition", request.task_definition);
  if (const Json* primary = primary_of(service)) {
    rollout.deployment = primary->get_string("id");
    rollout.task_definition = primary->get_string("taskDefinition", rollout.task_definition);
  }
  rollout.is_new = rollout.deployment != rollout.previous_deployment;
  const Json* configuration = service.find("deploymentConfiguration");
  const Json* breaker = configuration ? configuration->find("deploymentCircuitBreaker") : nullptr;
  rollout.has_breaker = breaker && breaker->get_bool("enable");
  rollout.can_roll_back = rollout.has_breaker && breaker->get_bool("rollback");
  return rollout;
}

std::vector<ledger::ReleasedImage> running_images(Calls& calls, const Rollout& rollout,
                                                  const std::stop_token& stop) {
  auto listed = calls.call("ecs", "ListTasks",
                           Json::object({{"cluster", rollout.cluster},
                                         {"serviceName", rollout.service},
                                         {"desiredStatus", "RUNNING"}}),
                           stop);
  if (!listed.ok() || listed.value().get_array("taskArns").empty()) return {};
  auto described = calls.call(
      "ecs", "DescribeTasks",
      Json::object({{"cluster", rollout.cluster}, {"tasks", listed.value().at("taskArns")}}), stop);
  if (!described.ok()) return {};
  std::vector<ledger::ReleasedImage> images;
  for (const auto& task : described.value().get_array("tasks")) {
    if (task.get_string("taskDefinitionArn") != rollout.task_definition) continue;
    for (const auto& container : task.get_array("containers")) {
      images.push_back({container.get_string("name"), container.get_string("image"),
                        container.get_string("imageDigest")});
    }
    break;
  }
  return images;
}

}  // namespace slipway::deploy
