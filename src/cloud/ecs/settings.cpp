// SPDX-License-Identifier: Apache-2.0
// What is set for clusters and accounts: capacity providers, account settings; and the operations that Fargate has no use for.
#include <algorithm>

#include "base/text.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr const char* kProviders[] = {"FARGATE", "FARGATE_SPOT"};

// name → the value that an account has without asking.
// source ECS API, Setting; developer guide, "Access Amazon ECS features with account settings"
const std::map<std::string, std::string>& settings() {
  static const std::map<std::string, std::string> kSettings = {
      {"awsvpcTrunking", "disabled"},
      {"containerInsights", "disabled"},
      {"containerInstanceLongArnFormat", "enabled"},
      {"defaultLogDriverMode", "non-blocking"},
      {"fargateEventWindows", "disabled"},
      {"fargateFIPSMode", "disabled"},
      {"fargateTaskRetirementWaitPeriod", "7"},
      {"guardDutyActivate", "off"},
      {"serviceLongArnFormat", "enabled"},
      {"tagResourceAuthorization", "off"},
      {"taskLongArnFormat", "enabled"},
  };
  return kSettings;
}

Json provider_json(const Scope& scope, const std::string& name) {
  return Json::object({{"capacityProviderArn",
                        arn("ecs", scope.region, scope.account, "capacity-provider/" + name)},
                       {"name", name},
                       {"status", "ACTIVE"},
                       {"tags", Json::array()},
                       {"type", name}});
}

bool is_provider(const std::string& name) {
  return std::any_of(std::begin(kProviders), std::end(kProviders),
                     [&](const char* known) { return name == known; });
}

Json setting_json(const std::string& name, const std::string& value, const std::string& principal) {
  return Json::object({{"name", name},
                       {"value", value},
                       {"principalArn", principal},
                       {"type", name == "guardDutyActivate" ? "aws_managed" : "user"}});
}

std::string known_setting(const Input& in) {
  std::string name = in.text("name");
  if (!settings().contains(name))
    refuse("InvalidParameterException", "Invalid setting name: " + name);
  return name;
}

}  // namespace

// UpdateCluster and UpdateClusterSettings: what is given replaces what was.
Json Ecs::update_cluster(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  if (!in.has("cluster")) refuse("InvalidParameterException", "Cluster cannot be empty.");
  std::string name = existing_cluster(call);
  Scope scope = scope_of(call);
  auto space = given_namespace(call);
  engine_.around().state.write([&](Tables& tables) {
    Json stored = tables.get("ecs.cluster", scope, name).value();
    set_default_namespace(stored, space);
    for (const char* key :
         {"settings", "configuration", "capacityProviders", "defaultCapacityProviderStrategy"}) {
      if (const Json* value = call.input.find(key)) stored[key] = *value;
    }
    tables.put("ecs.cluster", scope, name, stored);
  });
  return cluster_answer(scope, name);
}

Json Ecs::put_cluster_capacity_providers(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  if (!in.has("cluster")) refuse("InvalidParameterException", "Cluster cannot be empty.");
  auto providers = in.texts("capacityProviders");
  for (const auto& provider : providers) {
    if (!is_provider(provider))
      refuse("InvalidParameterException",
             "The specified capacity provider '" + provider + "' is not found.");
  }
  for (const auto& item : in.items("defaultCapacityProviderStrategy")) {
    std::string provider = item.get_string("capacityProvider");
    if (std::find(providers.begin(), providers.end(), provider) == providers.end()) {
      refuse("InvalidParameterException",
             "The specified capacity provider strategy cannot contain a capacity provider that is "
             "not associated with the cluster. Associate the capacity provider with the cluster "
             "and try again.");
    }
  }
  return update_cluster(call);
}

Json Ecs::describe_capacity_providers(const Call& call) {
  Scope scope = scope_of(call);
  auto names = Input(call.input, "InvalidParameterException").texts("capacityProviders");
  if (names.empty()) names.assign(std::begin(kProviders), std::end(kProviders));
  Json found = Json::array();
  Json failures = Json::array();
  for (const auto& given : names) {
    std::string name = last_part(given);
    if (is_provider(name)) {
      found.push_back(provider_json(scope, name));
    } else {
      failures.push_back(Json::object(
          {{"arn", arn("ecs", scope.region, scope.account, "capacity-provider/" + name)},
           {"reason", "MISSING"}}));
    }
  }
  return Json::object({{"capacityProviders", found}, {"failures", failures}});
}

Json Ecs::list_account_settings(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string principal = in.text_or("principalArn", call.caller.arn);
  std::string only = in.text_or("name");
  bool effective = in.boolean_or("effectiveSettings", false);
  Scope scope = scope_of(call);
  Json out = Json::array();
  engine_.around().state.read([&](Tables& tables) {
    for (const auto& [name, otherwise] : settings()) {
      if (!only.empty() && name != only) continue;
      auto own = tables.get("ecs.setting", scope, principal + "|" + name);
      auto general = tables.get("ecs.setting", scope, "default|" + name);
      if (own) {
        out.push_back(setting_json(name, own->as_string(), principal));
      } else if (effective) {
        out.push_back(setting_json(name, general ? general->as_string() : otherwise, principal));
      }
    }
    return 0;
  });
  return Json::object({{"settings", out}});
}

Json Ecs::put_account_setting(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string name = known_setting(in);
  std::string value = in.text("value");
  bool is_default = call.operation == "PutAccountSettingDefault";
  std::string principal = is_default ? arn("iam", "us-east-1", call.account, "root")
                                     : in.text_or("principalArn", call.caller.arn);
  principal = replace_all(principal, ":iam:us-east-1:", ":iam::");
  engine_.around().state.write([&](Tables& tables) {
    tables.put("ecs.setting", scope_of(call), (is_default ? "default" : principal) + "|" + name,
               Json(value));
  });
  return Json::object({{"setting", setting_json(name, value, principal)}});
}

Json Ecs::delete_account_setting(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string name = known_setting(in);
  std::string principal = in.text_or("principalArn", call.caller.arn);
  engine_.around().state.write(
      [&](Tables& tables) { tables.erase("ecs.setting", scope_of(call), principal + "|" + name); });
  return Json::object({{"setting", Json::object({{"name", name}, {"principalArn", principal}})}});
}

// Task sets belong to services whose deployments somebody else drives.
// Everything here is Fargate: there are no container instances.
Json Ecs::list_container_instances(const Call& call) {
  existing_cluster(call);
  return Json::object({{"containerInstanceArns", Json::array()}});
}

Json Ecs::describe_container_instances(const Call& call) {
  std::string cluster = existing_cluster(call);
  Json failures = Json::array();
  for (const auto& name :
       Input(call.input, "InvalidParameterException").texts("containerInstances")) {
    failures.push_back(
        Json::object({{"arn", arn("ecs", call.region, call.account,
                                  "container-instance/" + cluster + "/" + last_part(name))},
                      {"reason", "MISSING"}}));
  }
  return Json::object({{"containerInstances", Json::array()}, {"failures", failures}});
}

Json Ecs::list_attributes(const Call& call) {
  existing_cluster(call);
  return Json::object({{"attributes", Json::array()}});
}

Json Ecs::start_task(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  find_task_definition(call, in.text("taskDefinition"), true);
  auto instances = in.texts("containerInstances");
  if (instances.empty() || instances.size() > 10)
    refuse("InvalidParameterException", "Between 1 and 10 container instances must be specified.");
  return Json::object(
      {{"tasks", Json::array()}, {"failures", describe_container_instances(call).at("failures")}});
}

Json Ecs::refuse_task_sets(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string key = existing_cluster(call) + "/" + last_part(in.text("service"));
  bool exists = engine_.read(
      [&](const World& world) { return world.services.contains(full_key(scope_of(call), key)); });
  if (!exists) refuse("ServiceNotFoundException", "Service not found.");
  refuse("InvalidParameterException",
         "The service does not use the EXTERNAL deployment controller. Task sets are only for "
         "services that do.");
}

}  // namespace slipway::cloud::ecs
