// SPDX-License-Identifier: Apache-2.0
// Service deployments and service revisions: what happened to a service, deployment by deployment.
#include <algorithm>

#include "base/text.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/ecs/pauses.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

// Calls `use(service, deployment)` for every deployment that is remembered, newest first within a service.
template <typename Use>
void each_deployment(const World& world, const Scope& scope, Use&& use) {
  for (const auto& entry : world.services) {
    const ServiceRecord& service = entry.second;
    if (service.scope != scope) continue;
    for (const auto& d : service.deployments) use(service, d);
    for (const auto& d : service.history) use(service, d);
  }
}

Json revision_json(const ServiceRecord& service, const Deployment& d, const Json& definition) {
  Json images = Json::array();
  for (const auto& container : definition.get_array("containerDefinitions")) {
    std::string image = container.get_string("image");
    Json one = Json::object({{"containerName", container.get_string("name")}, {"image", image}});
    if (std::string digest = d.digests.get_string(image); !digest.empty())
      one["imageDigest"] = digest;
    images.push_back(std::move(one));
  }
  Json out =
      Json::object({{"serviceRevisionArn", service_revision_arn(service, d)},
                    {"serviceArn", service_arn(service)},
                    {"clusterArn", cluster_arn(service.scope, service.cluster)},
                    {"taskDefinition", d.task_definition_arn},
                    {"launchType", "FARGATE"},
                    {"platformVersion", "1.4.0"},
                    {"platformFamily", "Linux"},
                    {"loadBalancers", d.load_balancers},
                    {"serviceRegistries", Json(service.settings.get_array("serviceRegistries"))},
                    {"containerImages", images},
                    {"guardDutyEnabled", false},
                    {"createdAt", static_cast<double>(d.created) / 1000.0}});
  if (!d.network.empty()) out["networkConfiguration"] = d.network;
  if (const Json* given = d.connect.find("given")) out["serviceConnectConfiguration"] = *given;
  if (!d.volumes.empty()) out["volumeConfigurations"] = d.volumes;
  return out;
}

// The service whose PRIMARY a service deployment's ARN names, by its key. throws Refusal
std::pair<std::string, ServiceRecord*> deployment_in_progress(World& world, const Scope& scope,
                                                              const std::string& wanted) {
  for (auto& [key, service] : world.services) {
    const Deployment* primary = service.primary();
    if (service.scope != scope || !primary || service_deployment_arn(service, *primary) != wanted)
      continue;
    if (primary->rollout != "IN_PROGRESS")
      refuse("ConflictException",
             "The service deployment is not in progress and cannot be stopped.");
    return {key, &service};
  }
  refuse("ServiceDeploymentNotFoundException", "Service deployment not found: " + wanted);
}

void end_deployment(World& world, ServiceRecord& service, const char* how, bool rolls_back) {
  Deployment& primary = *service.primary();
  primary.rollout = "FAILED";
  primary.reason = fmt::format("ECS deployment {} {}.", primary.id, how);
  primary.finished = primary.updated = now_ms();
  if (rolls_back && !roll_back(world, service, "ECS deployment stopped", now_ms())) {
    refuse("ConflictException",
           "There is no service revision that completed before, to which the deployment could be "
           "rolled back.");
  }
}

}  // namespace

Json Ecs::list_service_deployments(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string name = in.text("service");
  std::string cluster = existing_cluster(call);
  auto statuses = in.texts("status");
  Json range = call.input.contains("createdAt") ? call.input.at("createdAt") : Json::object();
  auto bound = [&](const char* key) {
    return range.contains(key) ? range.at(key).as_number() : 0.0;
  };
  double after = bound("after");
  double before = bound("before");
  auto most = in.page_size("maxResults", 100, 100);
  std::size_t from = 0;
  if (auto token = in.optional_text("nextToken")) {
    auto position = read_page_token(*token);
    auto number = position ? to_integer(*position) : std::nullopt;
    if (!number || *number < 0) refuse("InvalidParameterException", "Invalid token");
    from = static_cast<std::size_t>(*number);
  }
  return engine_.read([&](const World& world) {
    auto it = world.services.find(full_key(scope_of(call), cluster + "/" + last_part(name)));
    if (it == world.services.end()) refuse("ServiceNotFoundException", "Service not found.");
    Json::Array list;
    auto add = [&](const Deployment& d) {
      Json full = describe_service_deployment(it->second, d);
      if (!statuses.empty() &&
          std::find(statuses.begin(), statuses.end(), full.get_string("status")) == statuses.end())
        return;
      double created = full.at("createdAt").as_number();
      if ((after > 0 && created < after) || (before > 0 && created > before)) return;
      Json brief =
          Json::object({{"targetServiceRevisionArn", full.at("targetServiceRevision").at("arn")}});
      for (const char* key : {"serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt",
                              "createdAt", "finishedAt", "status", "statusReason"}) {
        if (const Json* value = full.find(key)) brief[key] = *value;
      }
      list.push_back(std::move(brief));
    };
    for (const auto& d : it->second.deployments) add(d);
    for (const auto& d : it->second.history) add(d);
    Json page = Json::array();
    for (std::size_t i = from; i < list.size() && i < from + most; ++i) page.push_back(list[i]);
    Json out = Json::object({{"serviceDeployments", page}});
    if (from + most < list.size()) out["nextToken"] = page_token(std::to_string(from + most));
    return out;
  });
}

Json Ecs::describe_service_deployments(const Call& call) {
  auto arns = Input(call.input, "InvalidParameterException").texts("serviceDeploymentArns");
  if (arns.empty() || arns.size() > 20)
    refuse("InvalidParameterException",
           "Between 1 and 20 service deployment ARNs must be specified.");
  return engine_.read([&](const World& world) {
    Json found = Json::array();
    Json failures = Json::array();
    for (const auto& wanted : arns) {
      std::size_t before = found.size();
      each_deployment(world, scope_of(call),
                      [&](const ServiceRecord& service, const Deployment& d) {
                        if (service_deployment_arn(service, d) == wanted)
                          found.push_back(describe_service_deployment(service, d));
                      });
      if (found.size() == before)
        failures.push_back(Json::object({{"arn", wanted}, {"reason", "MISSING"}}));
    }
    return Json::object({{"serviceDeployments", found}, {"failures", failures}});
  });
}

Json Ecs::describe_service_revisions(const Call& call) {
  auto arns = Input(call.input, "InvalidParameterException").texts("serviceRevisionArns");
  if (arns.empty() || arns.size() > 20)
    refuse("InvalidParameterException",
           "Between 1 and 20 service revision ARNs must be specified.");
  Scope scope = scope_of(call);
  return engine_.read([&](const World& world) {
    Json found = Json::array();
    Json failures = Json::array();
    for (const auto& wanted : arns) {
      std::size_t before = found.size();
      each_deployment(world, scope, [&](const ServiceRecord& service, const Deployment& d) {
        if (service_revision_arn(service, d) != wanted) return;
        found.push_back(revision_json(
            service, d,
            engine_.task_definition(scope, d.task_definition_arn).value_or(Json::object())));
      });
      if (found.size() == before)
        failures.push_back(Json::object({{"arn", wanted}, {"reason", "MISSING"}}));
    }
    return Json::object({{"serviceRevisions", found}, {"failures", failures}});
  });
}

Json Ecs::continue_service_deployment(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string wanted = in.text("serviceDeploymentArn");
  std::string hook = in.text("hookId");
  bool continues = in.text_or("action", "CONTINUE") == "CONTINUE";
  engine_.change([&](World& world) {
    auto [key, service] = deployment_in_progress(world, scope_of(call), wanted);
    if (!answer_pause(*service->primary(), hook, continues)) {
      refuse("InvalidParameterException",
             fmt::format("The service deployment has no lifecycle hook {} that awaits an action.",
                         hook));
    }
    world.dirty_services.insert(key);
    if (!continues) end_deployment(world, *service, "was rolled back by a user", true);
  });
  return Json::object({{"serviceDeploymentArn", wanted}});
}

Json Ecs::stop_service_deployment(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string wanted = in.text("serviceDeploymentArn");
  bool rolls_back = in.text_or("stopType", "ROLLBACK") == "ROLLBACK";
  engine_.change([&](World& world) {
    auto [key, service] = deployment_in_progress(world, scope_of(call), wanted);
    world.dirty_services.insert(key);
    end_deployment(world, *service, "was stopped by a user", rolls_back);
  });
  return Json::object({{"serviceDeploymentArn", wanted}});
}

}  // namespace slipway::cloud::ecs
