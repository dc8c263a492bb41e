// SPDX-License-Identifier: Apache-2.0
// Deployments: an ECS service's replacement, told in CodeDeploy's words.
#include <algorithm>
#include <array>
#include <limits>

#include "base/text.hpp"
#include "cloud/codedeploy/api.hpp"

namespace slipway::cloud::codedeploy {
namespace {

constexpr std::chrono::seconds kHeldPoll{20};
constexpr std::chrono::seconds kLookAgain{1};

bool has_ended(const Json& deployment) {
  std::string status = deployment.get_string("status");
  return status == "Succeeded" || status == "Failed" || status == "Stopped";
}

Json member(const Json& json, const char* key) {
  const Json* found = json.find(key);
  return found != nullptr && found->is_object() ? *found : Json::object();
}

struct Place {
  std::string cluster;
  std::string service;
};
Place place_of(const Json& deployment) {
  const Json& service = deployment.at("ecsService");
  return {service.get_string("clusterName"), service.get_string("serviceName")};
}

// Those who would ask again only after 15 s get their answer when there is one.
bool is_patient(const std::string& user_agent) {
  for (const char* one :
       {"deploy.wait.deployment-successful", "ecs.deploy", "amazon-ecs-deploy-task-definition"}) {
    if (user_agent.find(one) != std::string::npos) return true;
  }
  return false;
}

bool rolls_back_on(const Json& deployment, const char* event) {
  Json automatic = member(deployment, "autoRollbackConfiguration");
  const auto& events = automatic.get_array("events");
  return automatic.get_bool("enabled") &&
         std::any_of(events.begin(), events.end(),
                     [&](const Json& one) { return one.is_string() && one.as_string() == event; });
}

void end(Json& deployment, const char* status, Time now) {
  deployment["status"] = status;
  deployment["completeTime"] = formats::epoch_seconds(now);
}

// The steps of a deployment, in order, and what of ECS's stages comes before each.
constexpr std::array<std::string_view, 8> kEvents = {"BeforeInstall",         "Install",
                                                     "AfterInstall",          "AllowTestTraffic",
                                                     "AfterAllowTestTraffic", "BeforeAllowTraffic",
                                                     "AllowTraffic",          "AfterAllowTraffic"};

// How many of the steps are done; the next is in progress.
std::size_t steps_done(const ecs::ReplacementState& state) {
  if (state.rollout == "COMPLETED" || state.stage == "CLEAN_UP" || state.stage == "BAKE_TIME")
    return kEvents.size();
  if (state.stage == "PRODUCTION_TRAFFIC_SHIFT") return 6;
  return state.is_ready ? 5 : 1;
}

}  // namespace

void CodeDeploy::follow(const Scope& scope, Json& deployment) {
  if (has_ended(deployment)) return;
  auto [cluster, service] = place_of(deployment);
  auto state = deployer_.state_of(scope, cluster, service, deployment.get_string("externalId"));
  Time now = formats::now();
  if (!state) {
    end(deployment, "Failed", now);
    deployment["errorInformation"] =
        Json::object({{"code", "INTERNAL_ERROR"}, {"message", "The ECS service is gone."}});
    return;
  }
  if (state->rollout == "COMPLETED") {
    end(deployment, "Succeeded", now);
  } else if (state->rollout == "FAILED") {
    end(deployment, "Failed", now);
    deployment["errorInformation"] = Json::object(
        {{"code", "HEALTH_CONSTRAINTS"},
         {"message", "The ECS replacement task set did not become healthy: " + state->reason}});
    if (rolls_back_on(deployment, "DEPLOYMENT_FAILURE")) {
      deployment["rollbackInfo"] =
          Json::object({{"rollbackMessage", "The original task set serves all traffic again."}});
    }
  } else if (state->is_ready && deployment.get_bool("isHeld")) {
    deployment["status"] = "Ready";
    auto limit = deployment.get_number("heldUntil");
    if (limit > 0 && formats::epoch_seconds(now) >= limit) {
      deployer_.take_back(scope, cluster, service, deployment.get_string("externalId"),
                          "The deployment was not continued in time.");
      end(deployment, "Stopped", now);
    } else if (limit == 0) {
      deployment["heldUntil"] =
          formats::epoch_seconds(now) + deployment.get_number("waitMinutes") * 60;
    }
  } else {
    deployment["status"] = state->stage == "BAKE_TIME" ? "Baking" : "InProgress";
  }
  deployment["stepsDone"] = static_cast<std::int64_t>(
      has_ended(deployment) && deployment.get_string("status") != "Succeeded"
          ? static_cast<std::size_t>(deployment.get_int("stepsDone"))
          : steps_done(*state));
  deployment["taskSets"] = state->task_sets;
  deployment["weight"] = state->weight;
}

Json CodeDeploy::deployment(const Scope& scope, const std::string& id) {
  auto stored =
      around_.state.read([&](Tables& tables) { return tables.get(kDeployment, scope, id); });
  if (!stored) {
    refuse("DeploymentDoesNotExistException",
           fmt::format("The deployment {} could not be found", id));
  }
  Json before = *stored;
  follow(scope, *stored);
  if (*stored != before) {
    around_.state.write([&](Tables& tables) {
      auto present = tables.get(kDeployment, scope, id);
      if (present && !has_ended(*present)) tables.put(kDeployment, scope, id, *stored);
    });
  }
  return *stored;
}

void CodeDeploy::run(std::stop_token stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    for (const auto& [scope, each] :
         around_.state.read([&](Tables& tables) { return tables.list_everywhere(kDeployment); })) {
      if (!has_ended(each.body)) deployment(scope, each.id);
    }
    deployer_.wait_for_change(stop, Deadline::in(kLookAgain), seen);
  }
}

Json CodeDeploy::create_deployment(const Call& call) {
  Input in(call.input, "DeploymentGroupNameRequiredException");
  Scope scope = scope_of(call);
  std::string application_name = in.text("applicationName");
  std::string group_name = in.text("deploymentGroupName");
  Json group_info = around_.state.read(
      [&](Tables& tables) { return group(tables, scope, application_name, group_name); });
  std::string config_name =
      in.text_or("deploymentConfigName", group_info.get_string("deploymentConfigName"));
  Json routing =
      around_.state.read([&](Tables& tables) { return config(tables, scope, config_name); })
          .at("trafficRoutingConfig");
  const Json* revision = call.input.find("revision");
  if (revision == nullptr) refuse("RevisionRequiredException", "A revision must be specified.");
  AppSpec spec = app_spec_of(*revision);
  for (const auto& each :
       around_.state.read([&](Tables& tables) { return tables.list(kDeployment, scope); })) {
    if (each.body.get_string("applicationName") != application_name ||
        each.body.get_string("deploymentGroupName") != group_name ||
        has_ended(deployment(scope, each.id)))
      continue;
    refuse("DeploymentLimitExceededException",
           fmt::format("The Deployment Group '{}' already has an active Deployment '{}'",
                       group_name, each.id));
  }
  check_group(call, group_info);
  auto definition = deployer_.task_definition_of(scope, spec.task_definition);
  if (!definition) {
    refuse("InvalidRevisionException",
           "The task definition could not be found: " + spec.task_definition);
  }
  Json blue_green = member(group_info, "blueGreenDeploymentConfiguration");
  Json ready = member(blue_green, "deploymentReadyOption");
  double bake = member(blue_green, "terminateBlueInstancesOnDeploymentSuccess")
                    .get_number("terminationWaitTimeInMinutes", 0);
  bool is_held = ready.get_string("actionOnTimeout", "CONTINUE_DEPLOYMENT") == "STOP_DEPLOYMENT";
  const Json& service = group_info.get_array("ecsServices")[0];
  const Json& pair = group_info.at("loadBalancerInfo").get_array("targetGroupPairInfoList")[0];
  auto group_arn = [&](std::size_t i) {
    return *targets_.group_named(scope, pair.get_array("targetGroups")[i].get_string("name"));
  };
  auto listener = [&](const char* key) {
    Json route = member(pair, key);
    const auto& arns = route.get_array("listenerArns");
    return arns.empty() ? std::string() : arns[0].as_string();
  };
  std::string task_set = deployer_.replace({.scope = scope,
                                            .cluster = service.get_string("clusterName"),
                                            .service = service.get_string("serviceName"),
                                            .task_definition = *definition,
                                            .container = spec.container,
                                            .port = spec.port,
                                            .group = group_arn(0),
                                            .other_group = group_arn(1),
                                            .production_listener = listener("prodTrafficRoute"),
                                            .test_listener = listener("testTrafficRoute"),
                                            .strategy = strategy_of(routing, bake),
                                            .is_held = is_held});
  std::string id = "d-" + random_id(9);
  Json stored = Json::object({{"applicationName", application_name},
                              {"deploymentGroupName", group_name},
                              {"deploymentConfigName", config_name},
                              {"deploymentId", id},
                              {"revision", *revision},
                              {"status", "InProgress"},
                              {"createTime", formats::epoch_seconds(call.now)},
                              {"startTime", formats::epoch_seconds(call.now)},
                              {"creator", "user"},
                              {"ignoreApplicationStopFailures", false},
                              {"updateOutdatedInstancesOnly", false},
                              {"computePlatform", "ECS"},
                              {"fileExistsBehavior", "DISALLOW"},
                              {"externalId", task_set},
                              {"ecsService", service},
                              {"isHeld", is_held},
                              {"waitMinutes", ready.get_number("waitTimeInMinutes", 0)}});
  for (const char* key : {"deploymentStyle", "blueGreenDeploymentConfiguration", "loadBalancerInfo",
                          "autoRollbackConfiguration"}) {
    const Json* given = call.input.find(key);
    if (given == nullptr) given = group_info.find(key);
    if (given != nullptr) stored[key] = *given;
  }
  if (auto text = in.optional_text("description")) stored["description"] = *text;
  around_.state.write([&](Tables& tables) {
    tables.put(kDeployment, scope, id, stored);
    Json attempted = Json::object(
        {{"deploymentId", id}, {"status", "InProgress"}, {"createTime", stored.at("createTime")}});
    group_info["lastAttemptedDeployment"] = attempted;
    tables.put(kGroup, scope, application_name + "/" + group_name, group_info);
  });
  return Json::object({{"deploymentId", id}});
}

Json CodeDeploy::info_of(const Json& deployment) const {
  Json out = deployment;
  for (const char* own :
       {"ecsService", "isHeld", "heldUntil", "waitMinutes", "stepsDone", "taskSets", "weight"})
    out.erase(own);
  std::int64_t succeeded = deployment.get_string("status") == "Succeeded" ? 1 : 0;
  std::int64_t failed = has_ended(deployment) && succeeded == 0 ? 1 : 0;
  std::int64_t ready = deployment.get_string("status") == "Ready" ? 1 : 0;
  out["deploymentOverview"] = Json::object({{"Pending", 0},
                                            {"InProgress", 1 - succeeded - failed - ready},
                                            {"Succeeded", succeeded},
                                            {"Failed", failed},
                                            {"Skipped", 0},
                                            {"Ready", ready}});
  return out;
}

Json CodeDeploy::get_deployment(const Call& call) {
  std::string id = Input(call.input, "DeploymentIdRequiredException").text("deploymentId");
  Scope scope = scope_of(call);
  Json found = deployment(scope, id);
  if (is_patient(call.user_agent)) {
    std::uint64_t seen = 0;
    for (auto until = Deadline::in(kHeldPoll);
         !has_ended(found) && !until.passed() && !call.stop.stop_requested();
         found = deployment(scope, id))
      deployer_.wait_for_change(call.stop, until.sooner(Deadline::in(kLookAgain)), seen);
  }
  return Json::object({{"deploymentInfo", info_of(found)}});
}

Json CodeDeploy::batch_get_deployments(const Call& call) {
  Json list = Json::array();
  for (const auto& id : Input(call.input, "DeploymentIdRequiredException").texts("deploymentIds"))
    list.push_back(info_of(deployment(scope_of(call), id)));
  return Json::object({{"deploymentsInfo", list}});
}

Json CodeDeploy::list_deployments(const Call& call) {
  Input in(call.input, "InvalidInputException");
  std::string application_name = in.text_or("applicationName");
  std::string group_name = in.text_or("deploymentGroupName");
  auto statuses = in.texts("includeOnlyStatuses");
  const Json* range = call.input.find("createTimeRange");
  double start = range ? range->get_number("start") : 0;
  double end = range ? range->get_number("end", std::numeric_limits<double>::max())
                     : std::numeric_limits<double>::max();
  std::vector<Json> found;
  for (const auto& each : around_.state.read(
           [&](Tables& tables) { return tables.list(kDeployment, scope_of(call)); })) {
    Json one = deployment(scope_of(call), each.id);
    double created = one.get_number("createTime");
    bool fits =
        created >= start && created <= end &&
        (application_name.empty() || one.get_string("applicationName") == application_name) &&
        (group_name.empty() || one.get_string("deploymentGroupName") == group_name) &&
        (statuses.empty() ||
         std::find(statuses.begin(), statuses.end(), one.get_string("status")) != statuses.end());
    if (fits) found.push_back(std::move(one));
  }
  std::sort(found.begin(), found.end(), [](const Json& a, const Json& b) {
    return a.get_number("createTime") > b.get_number("createTime");
  });
  Json ids = Json::array();
  for (const auto& one : found) ids.push_back(one.at("deploymentId"));
  return Json::object({{"deployments", ids}});
}

Json CodeDeploy::stop_deployment(const Call& call) {
  Input in(call.input, "DeploymentIdRequiredException");
  std::string id = in.text("deploymentId");
  Scope scope = scope_of(call);
  Json found = deployment(scope, id);
  if (has_ended(found)) {
    refuse("DeploymentAlreadyCompletedException",
           fmt::format("The deployment {} has already completed.", id));
  }
  auto [cluster, service] = place_of(found);
  deployer_.take_back(scope, cluster, service, found.get_string("externalId"),
                      "The deployment was stopped by a user.");
  end(found, "Stopped", call.now);
  found["errorInformation"] =
      Json::object({{"code", "MANUAL_STOP"}, {"message", "The deployment was stopped by a user."}});
  if (in.boolean_or("autoRollbackEnabled", false) ||
      rolls_back_on(found, "DEPLOYMENT_STOP_ON_REQUEST")) {
    found["rollbackInfo"] =
        Json::object({{"rollbackMessage", "The original task set serves all traffic again."}});
  }
  around_.state.write([&](Tables& tables) { tables.put(kDeployment, scope, id, found); });
  return Json::object({{"status", "Succeeded"}, {"statusMessage", "Deployment has been stopped."}});
}

Json CodeDeploy::continue_deployment(const Call& call) {
  Input in(call.input, "DeploymentIdRequiredException");
  std::string id = in.text("deploymentId");
  Scope scope = scope_of(call);
  Json found = deployment(scope, id);
  if (has_ended(found))
    refuse("DeploymentAlreadyCompletedException",
           fmt::format("The deployment {} has already completed.", id));
  if (found.get_string("status") != "Ready" ||
      in.text_or("deploymentWaitType", "READY_WAIT") != "READY_WAIT") {
    refuse("DeploymentIsNotInReadyStateException",
           fmt::format("The deployment {} is not in a ready state.", id));
  }
  found["isHeld"] = false;
  found["status"] = "InProgress";
  around_.state.write([&](Tables& tables) { tables.put(kDeployment, scope, id, found); });
  auto [cluster, service] = place_of(found);
  deployer_.resume(scope, cluster, service, found.get_string("externalId"));
  return Json::object();
}

Json CodeDeploy::target_of(const Scope& scope, const Json& deployment) {
  auto [cluster, service] = place_of(deployment);
  std::string status = deployment.get_string("status");
  bool is_over = has_ended(deployment);
  auto done = static_cast<std::size_t>(deployment.get_int("stepsDone"));
  Json events = Json::array();
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    const char* state = i < done   ? "Succeeded"
                        : i > done ? (is_over ? "Skipped" : "Pending")
                        : is_over  ? "Failed"
                                   : "InProgress";
    events.push_back(
        Json::object({{"lifecycleEventName", std::string(kEvents[i])}, {"status", state}}));
  }
  Json sets = Json::array();
  const Json* held = deployment.find("taskSets");
  for (const auto& set : held != nullptr ? held->as_array() : Json::Array{}) {
    bool is_green = set.get_string("id") == deployment.get_string("externalId");
    const auto& balancers = set.get_array("loadBalancers");
    Json one = Json::object(
        {{"identifer", set.at("id")},
         {"desiredCount", set.at("computedDesiredCount")},
         {"pendingCount", set.at("pendingCount")},
         {"runningCount", set.at("runningCount")},
         {"status", set.at("status")},
         {"trafficWeight", static_cast<double>(is_green ? deployment.get_int("weight")
                                                        : 100 - deployment.get_int("weight"))},
         {"taskSetLabel", is_green ? "Green" : "Blue"}});
    if (!balancers.empty()) {
      std::string arn_text = balancers[0].get_string("targetGroupArn");
      auto parts = split(arn_text, '/');
      if (parts.size() > 1) one["targetGroup"] = Json::object({{"name", std::string(parts[1])}});
    }
    sets.push_back(std::move(one));
  }
  return Json::object(
      {{"deploymentTargetType", "ECSTarget"},
       {"ecsTarget",
        Json::object({{"deploymentId", deployment.at("deploymentId")},
                      {"targetId", cluster + ":" + service},
                      {"targetArn", arn("ecs", scope.region, scope.account,
                                        fmt::format("service/{}/{}", cluster, service))},
                      {"lastUpdatedAt", formats::epoch_seconds(formats::now())},
                      {"lifecycleEvents", events},
                      {"status", status == "Succeeded" ? "Succeeded"
                                 : status == "Ready"   ? "Ready"
                                 : is_over             ? "Failed"
                                                       : "InProgress"},
                      {"taskSetsInfo", sets}})}});
}

Json CodeDeploy::list_deployment_targets(const Call& call) {
  std::string id = Input(call.input, "DeploymentIdRequiredException").text("deploymentId");
  auto [cluster, service] = place_of(deployment(scope_of(call), id));
  return Json::object({{"targetIds", Json::array({cluster + ":" + service})}});
}

Json CodeDeploy::get_deployment_target(const Call& call) {
  Input in(call.input, "DeploymentIdRequiredException");
  std::string wanted = in.text("targetId");
  Json target = target_of(scope_of(call), deployment(scope_of(call), in.text("deploymentId")));
  if (target.at("ecsTarget").get_string("targetId") != wanted) {
    refuse("DeploymentTargetDoesNotExistException",
           "The deployment target could not be found: " + wanted);
  }
  return Json::object({{"deploymentTarget", target}});
}

Json CodeDeploy::batch_get_deployment_targets(const Call& call) {
  Input in(call.input, "DeploymentIdRequiredException");
  Json target = target_of(scope_of(call), deployment(scope_of(call), in.text("deploymentId")));
  Json list = Json::array();
  for (const auto& wanted : in.texts("targetIds")) {
    if (target.at("ecsTarget").get_string("targetId") == wanted) list.push_back(target);
  }
  return Json::object({{"deploymentTargets", list}});
}

}  // namespace slipway::cloud::codedeploy
