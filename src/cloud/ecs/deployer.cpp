// SPDX-License-Identifier: Apache-2.0
// What CodeDeploy does with services: revisions beside the old one, by the machinery of ECS's own blue/green strategies.
#include "cloud/ecs/deployer.hpp"

#include "base/error.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

const Deployment* find_deployment(const ServiceRecord& service, const std::string& id) {
  for (const auto* list : {&service.deployments, &service.history}) {
    for (const auto& d : *list) {
      if (d.id == id) return &d;
    }
  }
  return nullptr;
}

// Calls `use` with the service whose PRIMARY is the task set; nothing happens when it is not any more.
template <typename Use>
void with_primary(Engine& engine, const std::string& key, const std::string& task_set, Use&& use) {
  engine.change([&](World& world) {
    auto it = world.services.find(key);
    if (it == world.services.end()) return;
    Deployment* primary = it->second.primary();
    if (primary == nullptr || primary->id != task_set || primary->rollout != "IN_PROGRESS") return;
    world.dirty_services.insert(key);
    use(world, it->second, *primary);
  });
}

}  // namespace

std::optional<std::string> Ecs::controller_of(const Scope& scope, const std::string& cluster,
                                              const std::string& service) {
  return engine_.read([&](const World& world) -> std::optional<std::string> {
    auto it = world.services.find(full_key(scope, cluster + "/" + service));
    if (it == world.services.end() || it->second.status != "ACTIVE") return std::nullopt;
    return it->second.controller();
  });
}

std::optional<std::string> Ecs::task_definition_of(const Scope& scope, const std::string& name) {
  try {
    return find_task_definition(scope, name, true).get_string("taskDefinitionArn");
  } catch (const Refusal&) {
    return std::nullopt;
  }
}

std::string Ecs::replace(const Replacement& replacement) {
  Json definition = find_task_definition(replacement.scope, replacement.task_definition, true);
  std::string key = full_key(replacement.scope, replacement.cluster + "/" + replacement.service);
  return engine_.change([&](World& world) {
    auto it = world.services.find(key);
    if (it == world.services.end() || it->second.status != "ACTIVE")
      refuse("ServiceNotFoundException", "Service not found.");
    ServiceRecord next = it->second;
    next.task_definition_arn = definition.get_string("taskDefinitionArn");
    next.strategy = replacement.strategy;
    // CodeDeploy watches the replacement; here that is the breaker's arithmetic.
    next.breaker = Breaker{.enabled = true, .rolls_back = true, .resets_on_healthy = true};
    Json advanced = Json::object({{"alternateTargetGroupArn", replacement.other_group},
                                  {"productionListenerRule", replacement.production_listener}});
    if (!replacement.test_listener.empty())
      advanced["testListenerRule"] = replacement.test_listener;
    next.settings["loadBalancers"] =
        Json::array({Json::object({{"targetGroupArn", replacement.group},
                                   {"containerName", replacement.container},
                                   {"containerPort", replacement.port},
                                   {"advancedConfiguration", advanced}})});
    check_balancers(next, definition, engine_.targets());
    add_deployment(next, now_ms());
    next.primary()->is_held = replacement.is_held;
    it->second = std::move(next);
    world.dirty_services.insert(key);
    return it->second.primary()->id;
  });
}

std::optional<ReplacementState> Ecs::state_of(const Scope& scope, const std::string& cluster,
                                              const std::string& service,
                                              const std::string& task_set) {
  return engine_.read([&](const World& world) -> std::optional<ReplacementState> {
    auto it = world.services.find(full_key(scope, cluster + "/" + service));
    if (it == world.services.end()) return std::nullopt;
    const Deployment* d = find_deployment(it->second, task_set);
    if (d == nullptr) return std::nullopt;
    return ReplacementState{.rollout = d->rollout,
                            .reason = d->reason,
                            .stage = d->stage,
                            .weight = d->weight,
                            .is_ready = d->is_ready,
                            .task_sets = task_sets_of(it->second, world.live_tasks(it->second))};
  });
}

void Ecs::resume(const Scope& scope, const std::string& cluster, const std::string& service,
                 const std::string& task_set) {
  with_primary(engine_, full_key(scope, cluster + "/" + service), task_set,
               [](World&, ServiceRecord&, Deployment& primary) { primary.is_held = false; });
}

void Ecs::take_back(const Scope& scope, const std::string& cluster, const std::string& service,
                    const std::string& task_set, const std::string& why) {
  with_primary(engine_, full_key(scope, cluster + "/" + service), task_set,
               [&](World& world, ServiceRecord& record, Deployment& primary) {
                 primary.rollout = "FAILED";
                 primary.reason = why;
                 primary.finished = primary.updated = now_ms();
                 roll_back(world, record, why, now_ms());
               });
}

void Ecs::wait_for_change(const std::stop_token& stop, Deadline deadline, std::uint64_t& version) {
  engine_.wait(stop, deadline, [&](const World& world) { return world.version != version; });
  version = engine_.read([](const World& world) { return world.version; });
}

}  // namespace slipway::cloud::ecs
