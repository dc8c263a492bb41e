// SPDX-License-Identifier: Apache-2.0
#include "cloud/codedeploy/codedeploy.hpp"

#include "base/text.hpp"
#include "cloud/codedeploy/api.hpp"

namespace slipway::cloud::codedeploy {

const ServiceDescription& CodeDeploy::description() const {
  static const ServiceDescription kDescription{.signing_name = "codedeploy",
                                               .target_prefix = "CodeDeploy_20141006",
                                               .api_version = "2014-10-06",
                                               .xml_namespace = "",
                                               .protocol = Protocol::json_1_1,
                                               .host_prefixes = {"codedeploy"},
                                               .action_prefix = ""};
  return kDescription;
}

const Operations<CodeDeploy>& CodeDeploy::operations() {
  static const Operations<CodeDeploy> kOperations = {
      {"CreateApplication", &CodeDeploy::create_application},
      {"GetApplication", &CodeDeploy::get_application},
      {"ListApplications", &CodeDeploy::list_applications},
      {"DeleteApplication", &CodeDeploy::delete_application},
      {"RegisterApplicationRevision", &CodeDeploy::register_application_revision},
      {"ListTagsForResource", &CodeDeploy::list_tags_for_resource},
      {"CreateDeploymentConfig", &CodeDeploy::create_deployment_config},
      {"GetDeploymentConfig", &CodeDeploy::get_deployment_config},
      {"ListDeploymentConfigs", &CodeDeploy::list_deployment_configs},
      {"DeleteDeploymentConfig", &CodeDeploy::delete_deployment_config},
      {"CreateDeploymentGroup", &CodeDeploy::create_deployment_group},
      {"UpdateDeploymentGroup", &CodeDeploy::update_deployment_group},
      {"GetDeploymentGroup", &CodeDeploy::get_deployment_group},
      {"ListDeploymentGroups", &CodeDeploy::list_deployment_groups},
      {"DeleteDeploymentGroup", &CodeDeploy::delete_deployment_group},
      {"CreateDeployment", &CodeDeploy::create_deployment},
      {"GetDeployment", &CodeDeploy::get_deployment},
      {"BatchGetDeployments", &CodeDeploy::batch_get_deployments},
      {"ListDeployments", &CodeDeploy::list_deployments},
      {"StopDeployment", &CodeDeploy::stop_deployment},
      {"ContinueDeployment", &CodeDeploy::continue_deployment},
      {"ListDeploymentTargets", &CodeDeploy::list_deployment_targets},
      {"GetDeploymentTarget", &CodeDeploy::get_deployment_target},
      {"BatchGetDeploymentTargets", &CodeDeploy::batch_get_deployment_targets},
  };
  return kOperations;
}

bool CodeDeploy::has(std::string_view operation) const { return operations().contains(operation); }
Json CodeDeploy::call(const Call& call) { return dispatch(*this, operations(), call); }

// source  Service Authorization Reference, "Actions, resources, and condition keys for AWS CodeDeploy"
std::vector<Permission> CodeDeploy::permissions(const Call& call) const {
  auto on = [&](const std::string& resource) {
    return std::vector<Permission>{
        {"codedeploy:" + call.operation, arn("codedeploy", call.region, call.account, resource)}};
  };
  std::string application = call.input.get_string("applicationName");
  std::string group = call.input.get_string("deploymentGroupName");
  if (call.operation.find("DeploymentConfig") != std::string::npos)
    return on("deploymentconfig:" + call.input.get_string("deploymentConfigName", "*"));
  if (std::string id = call.input.get_string("deploymentId"); !id.empty()) {
    auto stored = around_.state.read(
        [&](Tables& tables) { return tables.get(kDeployment, scope_of(call), id); });
    if (!stored) return on("deploymentgroup:*");
    return on(fmt::format("deploymentgroup:{}/{}", stored->get_string("applicationName"),
                          stored->get_string("deploymentGroupName")));
  }
  if (!group.empty()) return on(fmt::format("deploymentgroup:{}/{}", application, group));
  if (!application.empty()) return on("application:" + application);
  return {{"codedeploy:" + call.operation, "*"}};
}

Json CodeDeploy::application(Tables& tables, const Scope& scope, const std::string& name) {
  auto stored = tables.get(kApplication, scope, name);
  if (!stored) refuse("ApplicationDoesNotExistException", "No application found for name: " + name);
  return *stored;
}

Json CodeDeploy::create_application(const Call& call) {
  Input in(call.input, "ApplicationNameRequiredException");
  std::string name = in.text("applicationName");
  std::string platform = in.text_or("computePlatform", "Server");
  if (platform != "ECS") {
    refuse("InvalidComputePlatformException",
           fmt::format("slipway: the compute platform '{}' is not supported yet: only ECS is",
                       platform));
  }
  Json stored = Json::object({{"applicationId", uuid()},
                              {"applicationName", name},
                              {"createTime", formats::epoch_seconds(call.now)},
                              {"linkedToGitHub", false},
                              {"computePlatform", platform}});
  around_.state.write([&](Tables& tables) {
    if (tables.get(kApplication, scope_of(call), name))
      refuse("ApplicationAlreadyExistsException", "Application already exists: " + name);
    tables.put(kApplication, scope_of(call), name, stored);
  });
  return Json::object({{"applicationId", stored.at("applicationId")}});
}

Json CodeDeploy::get_application(const Call& call) {
  std::string name = Input(call.input, "ApplicationNameRequiredException").text("applicationName");
  return around_.state.read([&](Tables& tables) {
    return Json::object({{"application", application(tables, scope_of(call), name)}});
  });
}

Json CodeDeploy::list_applications(const Call& call) {
  Json names = Json::array();
  for (const auto& each : around_.state.read(
           [&](Tables& tables) { return tables.list(kApplication, scope_of(call)); }))
    names.push_back(each.id);
  return Json::object({{"applications", names}});
}

Json CodeDeploy::delete_application(const Call& call) {
  std::string name = Input(call.input, "ApplicationNameRequiredException").text("applicationName");
  around_.state.write([&](Tables& tables) {
    tables.erase(kApplication, scope_of(call), name);
    for (const auto& each : tables.list(kGroup, scope_of(call), name + "/"))
      tables.erase(kGroup, scope_of(call), each.id);
  });
  return Json::object();
}

// A revision is given whole to CreateDeployment; that it may be used is all that is told here.
Json CodeDeploy::register_application_revision(const Call& call) {
  Input in(call.input, "ApplicationNameRequiredException");
  std::string name = in.text("applicationName");
  around_.state.read([&](Tables& tables) { return application(tables, scope_of(call), name); });
  if (const Json* revision = call.input.find("revision")) app_spec_of(*revision);
  return Json::object();
}

Json CodeDeploy::list_tags_for_resource(const Call&) {
  return Json::object({{"Tags", Json::array()}});
}

std::unique_ptr<Service> make(const Surroundings& around, ecs::Deployer& deployer,
                              elb::Targets& targets) {
  return std::make_unique<CodeDeploy>(around, deployer, targets);
}

}  // namespace slipway::cloud::codedeploy
