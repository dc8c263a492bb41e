// SPDX-License-Identifier: Apache-2.0
// Deployment configurations: how traffic moves.
#include <array>

#include "base/text.hpp"
#include "cloud/codedeploy/api.hpp"

namespace slipway::cloud::codedeploy {
namespace {

struct Predefined {
  std::string_view name;
  std::string_view type;
  int percent;
  int minutes;
};

// source  CodeDeploy user guide, "Predefined deployment configurations for an Amazon ECS compute platform"
constexpr std::array<Predefined, 5> kPredefined = {{
    {"CodeDeployDefault.ECSAllAtOnce", "AllAtOnce", 100, 0},
    {"CodeDeployDefault.ECSCanary10Percent15Minutes", "TimeBasedCanary", 10, 15},
    {"CodeDeployDefault.ECSCanary10Percent5Minutes", "TimeBasedCanary", 10, 5},
    {"CodeDeployDefault.ECSLinear10PercentEvery1Minutes", "TimeBasedLinear", 10, 1},
    {"CodeDeployDefault.ECSLinear10PercentEvery3Minutes", "TimeBasedLinear", 10, 3},
}};

Json routing_of(const Predefined& config) {
  Json out = Json::object({{"type", std::string(config.type)}});
  if (config.type == "TimeBasedCanary")
    out["timeBasedCanary"] =
        Json::object({{"canaryPercentage", config.percent}, {"canaryInterval", config.minutes}});
  if (config.type == "TimeBasedLinear")
    out["timeBasedLinear"] =
        Json::object({{"linearPercentage", config.percent}, {"linearInterval", config.minutes}});
  return out;
}

}  // namespace

Json strategy_of(const Json& traffic, double bake_minutes) {
  std::string type = traffic.get_string("type", "AllAtOnce");
  Json out = Json::object({{"strategy", "BLUE_GREEN"}, {"bakeTimeInMinutes", bake_minutes}});
  if (type == "TimeBasedCanary") {
    const Json& canary = traffic.at("timeBasedCanary");
    out["strategy"] = "CANARY";
    out["canaryConfiguration"] =
        Json::object({{"canaryPercent", canary.get_number("canaryPercentage", 10)},
                      {"canaryBakeTimeInMinutes", canary.get_number("canaryInterval", 5)}});
  } else if (type == "TimeBasedLinear") {
    const Json& linear = traffic.at("timeBasedLinear");
    out["strategy"] = "LINEAR";
    out["linearConfiguration"] =
        Json::object({{"stepPercent", linear.get_number("linearPercentage", 10)},
                      {"stepBakeTimeInMinutes", linear.get_number("linearInterval", 1)}});
  }
  return out;
}

Json CodeDeploy::config(Tables& tables, const Scope& scope, const std::string& name) {
  for (const auto& known : kPredefined) {
    if (known.name == name) {
      return Json::object({{"deploymentConfigName", name},
                           {"computePlatform", "ECS"},
                           {"trafficRoutingConfig", routing_of(known)}});
    }
  }
  auto stored = tables.get(kConfig, scope, name);
  if (!stored) {
    refuse("DeploymentConfigDoesNotExistException",
           "No deployment configuration found for name: " + name);
  }
  return *stored;
}

Json CodeDeploy::create_deployment_config(const Call& call) {
  Input in(call.input, "DeploymentConfigNameRequiredException");
  std::string name = in.text("deploymentConfigName");
  if (in.text_or("computePlatform", "Server") != "ECS")
    refuse("InvalidComputePlatformException",
           "slipway: only deployment configurations of the compute platform ECS are supported");
  const Json* routing = call.input.find("trafficRoutingConfig");
  if (routing == nullptr)
    refuse("InvalidTrafficRoutingConfigurationException",
           "A traffic routing configuration is required for the ECS compute platform.");
  strategy_of(*routing, 0);
  Json stored = Json::object({{"deploymentConfigId", uuid()},
                              {"deploymentConfigName", name},
                              {"createTime", formats::epoch_seconds(call.now)},
                              {"computePlatform", "ECS"},
                              {"trafficRoutingConfig", *routing}});
  around_.state.write([&](Tables& tables) {
    if (name.starts_with("CodeDeployDefault.") || tables.get(kConfig, scope_of(call), name)) {
      refuse("DeploymentConfigAlreadyExistsException",
             "Deployment configuration already exists: " + name);
    }
    tables.put(kConfig, scope_of(call), name, stored);
  });
  return Json::object({{"deploymentConfigId", stored.at("deploymentConfigId")}});
}

Json CodeDeploy::get_deployment_config(const Call& call) {
  std::string name =
      Input(call.input, "DeploymentConfigNameRequiredException").text("deploymentConfigName");
  return around_.state.read([&](Tables& tables) {
    return Json::object({{"deploymentConfigInfo", config(tables, scope_of(call), name)}});
  });
}

Json CodeDeploy::list_deployment_configs(const Call& call) {
  Json names = Json::array();
  for (const auto& known : kPredefined) names.push_back(std::string(known.name));
  for (const auto& each :
       around_.state.read([&](Tables& tables) { return tables.list(kConfig, scope_of(call)); }))
    names.push_back(each.id);
  return Json::object({{"deploymentConfigsList", names}});
}

Json CodeDeploy::delete_deployment_config(const Call& call) {
  std::string name =
      Input(call.input, "DeploymentConfigNameRequiredException").text("deploymentConfigName");
  if (name.starts_with("CodeDeployDefault."))
    refuse("InvalidOperationException", "A predefined deployment configuration cannot be deleted.");
  around_.state.write([&](Tables& tables) { tables.erase(kConfig, scope_of(call), name); });
  return Json::object();
}

}  // namespace slipway::cloud::codedeploy
