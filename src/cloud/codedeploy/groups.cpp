// SPDX-License-Identifier: Apache-2.0
// Deployment groups: which service is replaced, behind which listeners.
#include "base/text.hpp"
#include "cloud/codedeploy/api.hpp"
#include "cloud/iam/authoriser.hpp"

namespace slipway::cloud::codedeploy {
namespace {

// Members of a group that are kept as given.
constexpr const char* kKept[] = {"deploymentConfigName",
                                 "serviceRoleArn",
                                 "autoRollbackConfiguration",
                                 "deploymentStyle",
                                 "blueGreenDeploymentConfiguration",
                                 "loadBalancerInfo",
                                 "ecsServices",
                                 "alarmConfiguration",
                                 "triggerConfigurations",
                                 "outdatedInstancesStrategy"};

const Json::Array& pairs_of(const Json& group) {
  static const Json::Array kNone;
  const Json* info = group.find("loadBalancerInfo");
  return info != nullptr && info->is_object() ? info->get_array("targetGroupPairInfoList") : kNone;
}

// What CodeDeploy shows also where it was not given.
void fill_waits(Json& group) {
  Json* blue_green = group.find("blueGreenDeploymentConfiguration");
  if (blue_green == nullptr || !blue_green->is_object()) return;
  for (const auto& [part, wait] :
       {std::pair<const char*, const char*>{"deploymentReadyOption", "waitTimeInMinutes"},
        {"terminateBlueInstancesOnDeploymentSuccess", "terminationWaitTimeInMinutes"}}) {
    Json* given = blue_green->find(part);
    if (given != nullptr && given->is_object() && !given->contains(wait)) (*given)[wait] = 0;
  }
}

}  // namespace

Json CodeDeploy::group(Tables& tables, const Scope& scope, const std::string& application_name,
                       const std::string& name) {
  application(tables, scope, application_name);
  auto stored = tables.get(kGroup, scope, application_name + "/" + name);
  if (!stored)
    refuse("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: " + name);
  return *stored;
}

// A group of the platform ECS: one service that CodeDeploy controls, one pair of target groups, its listener.
void CodeDeploy::check_group(const Call& call, const Json& group) {
  const Json* style = group.find("deploymentStyle");
  if (style == nullptr || style->get_string("deploymentType") != "BLUE_GREEN" ||
      style->get_string("deploymentOption") != "WITH_TRAFFIC_CONTROL") {
    refuse(
        "InvalidDeploymentStyleException",
        "For ECS deployment group, deployment style must be BLUE_GREEN and WITH_TRAFFIC_CONTROL.");
  }
  std::string role = group.get_string("serviceRoleArn");
  if (!around_.authoriser.trusts_service(role, "codedeploy.amazonaws.com")) {
    refuse(
        "InvalidRoleException",
        fmt::format("AWS CodeDeploy does not have the permissions required to assume the role {}.",
                    role));
  }
  const auto& services = group.get_array("ecsServices");
  if (services.size() != 1)
    refuse("InvalidECSServiceException", "Exactly one ECS service must be specified.");
  std::string cluster = services[0].get_string("clusterName");
  std::string service = services[0].get_string("serviceName");
  auto controller = deployer_.controller_of(scope_of(call), cluster, service);
  if (!controller) {
    refuse("InvalidECSServiceException",
           fmt::format("Unable to find the ECS service '{}' in cluster '{}'.", service, cluster));
  }
  if (*controller != "CODE_DEPLOY") {
    refuse("InvalidECSServiceException",
           fmt::format("Deployment group's ECS service must be configured for a CODE_DEPLOY "
                       "deployment controller: {}:{}",
                       cluster, service));
  }
  const auto& pairs = pairs_of(group);
  if (pairs.size() != 1 || pairs[0].get_array("targetGroups").size() != 2 ||
      !pairs[0].contains("prodTrafficRoute") ||
      pairs[0].at("prodTrafficRoute").get_array("listenerArns").size() != 1) {
    refuse(
        "InvalidLoadBalancerInfoException",
        "An ECS deployment group must specify exactly one pair of target groups and one listener "
        "for production traffic.");
  }
  for (const auto& target : pairs[0].get_array("targetGroups")) {
    if (!targets_.group_named(scope_of(call), target.get_string("name")))
      refuse("InvalidTargetGroupPairException",
             "The target group could not be found: " + target.get_string("name"));
  }
}

Json CodeDeploy::create_deployment_group(const Call& call) {
  Input in(call.input, "DeploymentGroupNameRequiredException");
  std::string application_name = in.text("applicationName");
  std::string name = in.text("deploymentGroupName");
  Json stored = Json::object({{"applicationName", application_name},
                              {"deploymentGroupId", uuid()},
                              {"deploymentGroupName", name},
                              {"deploymentConfigName", "CodeDeployDefault.ECSAllAtOnce"},
                              {"computePlatform", "ECS"}});
  for (const char* key : kKept) {
    if (const Json* value = call.input.find(key)) stored[key] = *value;
  }
  around_.state.read([&](Tables& tables) {
    application(tables, scope_of(call), application_name);
    return config(tables, scope_of(call), stored.get_string("deploymentConfigName"));
  });
  fill_waits(stored);
  check_group(call, stored);
  around_.state.write([&](Tables& tables) {
    std::string id = application_name + "/" + name;
    if (tables.get(kGroup, scope_of(call), id))
      refuse("DeploymentGroupAlreadyExistsException",
             "Deployment group name already exists: " + name);
    tables.put(kGroup, scope_of(call), id, stored);
  });
  return Json::object({{"deploymentGroupId", stored.at("deploymentGroupId")}});
}

Json CodeDeploy::update_deployment_group(const Call& call) {
  Input in(call.input, "DeploymentGroupNameRequiredException");
  std::string application_name = in.text("applicationName");
  std::string name = in.text("currentDeploymentGroupName");
  Json stored = around_.state.read(
      [&](Tables& tables) { return group(tables, scope_of(call), application_name, name); });
  for (const char* key : kKept) {
    if (const Json* value = call.input.find(key)) stored[key] = *value;
  }
  std::string renamed = in.text_or("newDeploymentGroupName", name);
  stored["deploymentGroupName"] = renamed;
  fill_waits(stored);
  check_group(call, stored);
  around_.state.write([&](Tables& tables) {
    tables.erase(kGroup, scope_of(call), application_name + "/" + name);
    tables.put(kGroup, scope_of(call), application_name + "/" + renamed, stored);
  });
  return Json::object({{"hooksNotCleanedUp", Json::array()}});
}

Json CodeDeploy::get_deployment_group(const Call& call) {
  Input in(call.input, "DeploymentGroupNameRequiredException");
  return around_.state.read([&](Tables& tables) {
    Json stored =
        group(tables, scope_of(call), in.text("applicationName"), in.text("deploymentGroupName"));
    double newest = 0;
    for (const auto& each : tables.list(kDeployment, scope_of(call))) {
      bool is_good = each.body.get_string("status") == "Succeeded" &&
                     each.body.get_string("applicationName") == in.text("applicationName") &&
                     each.body.get_string("deploymentGroupName") == in.text("deploymentGroupName");
      if (!is_good || each.body.get_number("createTime") < newest) continue;
      newest = each.body.get_number("createTime");
      stored["lastSuccessfulDeployment"] =
          Json::object({{"deploymentId", each.id},
                        {"status", "Succeeded"},
                        {"createTime", newest},
                        {"endTime", each.body.at("completeTime")}});
    }
    return Json::object({{"deploymentGroupInfo", stored}});
  });
}

Json CodeDeploy::list_deployment_groups(const Call& call) {
  std::string name = Input(call.input, "ApplicationNameRequiredException").text("applicationName");
  return around_.state.read([&](Tables& tables) {
    application(tables, scope_of(call), name);
    Json names = Json::array();
    for (const auto& each : tables.list(kGroup, scope_of(call), name + "/"))
      names.push_back(each.body.get_string("deploymentGroupName"));
    return Json::object({{"applicationName", name}, {"deploymentGroups", names}});
  });
}

Json CodeDeploy::delete_deployment_group(const Call& call) {
  Input in(call.input, "DeploymentGroupNameRequiredException");
  std::string id = in.text("applicationName") + "/" + in.text("deploymentGroupName");
  around_.state.write([&](Tables& tables) { tables.erase(kGroup, scope_of(call), id); });
  return Json::object({{"hooksNotCleanedUp", Json::array()}});
}

}  // namespace slipway::cloud::codedeploy
