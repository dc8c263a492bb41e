// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "cloud/ecs/engine.hpp"
#include "cloud/ecs/pauses.hpp"
#include "cloud/ecs/volumes.hpp"

namespace slipway::cloud::ecs {
namespace {

// A task without any health check counts as healthy after it has run this long. ECS documents 40 s; here a laptop waits.
constexpr std::int64_t kSteadyAfterMs = 5000;
// The shortest run of any healthy task. AWS's checks look for the first time after seconds; ours so soon that a task whose sidecar is
// about to die would count as healthy.
constexpr std::int64_t kLeastRunMs = 1000;
// A task that dies this soon after its start never was healthy, whatever the first checks said.
constexpr std::int64_t kEarlyDeathMs = 10'000;
constexpr std::int64_t kFirstPauseMs = 500;
constexpr std::int64_t kLongestPauseMs = 15 * 60 * 1000;
constexpr std::size_t kHistory = 50;

bool has_checks(const ServiceRecord& service, const Task& task) {
  const Json* balancers = service.settings.find("loadBalancers");
  return (balancers && !balancers->empty()) ||
         std::any_of(task.containers.begin(), task.containers.end(),
                     [](const TaskContainer& c) { return c.is_essential && c.has_health_check; });
}

bool is_healthy(const ServiceRecord& service, const Task& task, const TickHooks& hooks,
                std::int64_t now) {
  if (task.last_status != "RUNNING" || task.is_stopping()) return false;
  bool has_container_check =
      std::any_of(task.containers.begin(), task.containers.end(),
                  [](const TaskContainer& c) { return c.is_essential && c.has_health_check; });
  if (has_container_check && task.health() != "HEALTHY") return false;
  if (!hooks.is_in_service(task)) return false;
  return now - task.started >= (has_checks(service, task) ? kLeastRunMs : kSteadyAfterMs);
}

std::string list_of(const std::vector<std::string>& ids) {
  std::string out;
  for (const auto& id : ids) out += fmt::format(" (task {})", id);
  return out;
}

void change_rollout(Deployment& deployment, const std::string& state, const std::string& reason,
                    std::int64_t now) {
  deployment.rollout = state;
  deployment.reason = reason;
  deployment.updated = now;
  if (state != "IN_PROGRESS") deployment.finished = now;
}

// The deployment to go back to: the newest that COMPLETED, also among those still ACTIVE.
std::optional<Deployment> rollback_target(const ServiceRecord& service, const std::string& failed) {
  std::optional<Deployment> best;
  auto consider = [&](const Deployment& d) {
    if (d.id != failed && d.rollout == "COMPLETED" && (!best || d.finished > best->finished))
      best = d;
  };
  for (const auto& d : service.deployments) consider(d);
  for (const auto& d : service.history) consider(d);
  return best;
}

// Leads production traffic to a revision as far as its weight goes, and the rest to the one beside it.
void tell_balancers(World& world, const Deployment& to, const Deployment& beside) {
  for (std::size_t i = 0; i < to.load_balancers.size() && i < beside.load_balancers.size(); ++i) {
    const Json& balancer = to.load_balancers.as_array()[i];
    std::string old = beside.load_balancers.as_array()[i].get_string("targetGroupArn");
    const Json* advanced = balancer.find("advancedConfiguration");
    // A revision from before CodeDeploy's first deployment does not know its listeners.
    if (advanced == nullptr)
      advanced = beside.load_balancers.as_array()[i].find("advancedConfiguration");
    if (advanced == nullptr || old == balancer.get_string("targetGroupArn")) continue;
    std::vector<std::pair<std::string, int>> weights = {
        {balancer.get_string("targetGroupArn"), to.weight}, {old, 100 - to.weight}};
    world.shifts.push_back({advanced->get_string("productionListenerRule"), weights});
    if (std::string test = advanced->get_string("testListenerRule"); !test.empty()) {
      world.shifts.push_back({test, {{balancer.get_string("targetGroupArn"), 100}, {old, 0}}});
    }
  }
}

// The test listener leads to a new revision as soon as it is up.
void lead_tests_to(World& world, const Deployment& fresh, const Deployment& old) {
  for (std::size_t i = 0; i < fresh.load_balancers.size() && i < old.load_balancers.size(); ++i) {
    const Json& balancer = fresh.load_balancers.as_array()[i];
    const Json* advanced = balancer.find("advancedConfiguration");
    std::string test = advanced ? advanced->get_string("testListenerRule") : "";
    std::string group = balancer.get_string("targetGroupArn");
    std::string before = old.load_balancers.as_array()[i].get_string("targetGroupArn");
    if (!test.empty() && group != before)
      world.shifts.push_back({test, {{group, 100}, {before, 0}}});
  }
}

}  // namespace

bool roll_back(World& world, ServiceRecord& service, const std::string& why, std::int64_t now) {
  Deployment failed = *service.primary();
  auto target = rollback_target(service, failed.id);
  if (failed.is_rollback || !target) return false;
  std::erase_if(service.deployments,
                [&](const Deployment& d) { return d.id == target->id || d.id == failed.id; });
  std::erase_if(service.history, [&](const Deployment& d) { return d.id == target->id; });
  failed.status = "ACTIVE";
  failed.rolled_back_to = target->id;
  target->status = "PRIMARY";
  target->is_rollback = true;
  target->progress = {};
  target->failures_in_a_row = 0;
  target->not_before = 0;
  change_rollout(*target, "IN_PROGRESS",
                 fmt::format("{}: rolling back to deploymentId {}.", why, target->id), now);
  target->finished = 0;
  service.task_definition_arn = target->task_definition_arn;
  if (service.strategy.empty()) {
    service.settings["loadBalancers"] = target->load_balancers;
  } else {
    failed.stage = "";
    target->stage = "";
    target->weight = 100;
    tell_balancers(world, *target, failed);
  }
  service.deployments.insert(service.deployments.begin(), failed);
  service.deployments.insert(service.deployments.begin(), *target);
  world.add_event(
      service, fmt::format("(service {}) rolling back to deployment {}.", service.name, target->id),
      now);
  return true;
}

namespace {

void trip(World& world, ServiceRecord& service, std::int64_t now) {
  Deployment& primary = *service.primary();
  change_rollout(primary, "FAILED", "ECS deployment circuit breaker: tasks failed to start.", now);
  world.add_event(
      service,
      fmt::format("(service {}) (deployment {}) deployment failed: tasks failed to start.",
                  service.name, primary.id),
      now);
  if (service.breaker.rolls_back) roll_back(world, service, "ECS deployment circuit breaker", now);
}

std::vector<std::string> watched_alarms(const ServiceRecord& service) {
  std::vector<std::string> names;
  if (!service.alarms.get_bool("enable")) return names;
  for (const auto& name : service.alarms.get_array("alarmNames")) names.push_back(name.as_string());
  return names;
}

// An alarm that goes off while a deployment goes on fails it; those that rang before are none of its fault.
void watch_alarms(World& world, ServiceRecord& service, const TickHooks& hooks, std::int64_t now) {
  Deployment* primary = service.primary();
  if (primary == nullptr || primary->rollout != "IN_PROGRESS" || primary->is_rollback) return;
  std::vector<std::string> ringing;
  for (const auto& name : watched_alarms(service)) {
    if (hooks.alarm(name).is_alarm) ringing.push_back(name);
  }
  if (!std::exchange(primary->has_looked, true)) {
    for (const auto& name : ringing) primary->ignored_alarms.push_back(name);
    return;
  }
  const auto& ignored = primary->ignored_alarms.as_array();
  bool has_failed = std::any_of(ringing.begin(), ringing.end(), [&](const std::string& name) {
    return std::find(ignored.begin(), ignored.end(), Json(name)) == ignored.end();
  });
  if (!has_failed) return;
  change_rollout(*primary, "FAILED", "ECS deployment failed: alarm detected.", now);
  world.add_event(service,
                  fmt::format("(service {}) deployment {} deployment failed: alarm detected.",
                              service.name, primary->id),
                  now);
  if (service.alarms.get_bool("rollback")) roll_back(world, service, "ECS deployment alarm", now);
}

// When the alarms have watched a finished deployment long enough; 0: now.
std::int64_t baked_at(const ServiceRecord& service, Deployment& primary, const TickHooks& hooks,
                      std::int64_t now) {
  std::int64_t span = 0;
  if (primary.is_rollback) return 0;
  for (const auto& name : watched_alarms(service)) span = std::max(span, hooks.alarm(name).span_ms);
  if (primary.good_since == 0) primary.good_since = now;
  return now >= primary.good_since + span ? 0 : primary.good_since + span;
}

Deployment* deployment_of(ServiceRecord& service, const Task& task) {
  for (auto& d : service.deployments) {
    if (d.id == task.deployment) return &d;
  }
  return nullptr;
}

// One more task of the deployment that came to nothing: the next starts later, and the breaker may trip.
void count_failure(World& world, ServiceRecord& service, Deployment& deployment, std::int64_t now) {
  ++deployment.failures_in_a_row;
  if (deployment.failures_in_a_row > 3) {
    deployment.not_before =
        now +
        std::min(kLongestPauseMs, kFirstPauseMs << std::min(deployment.failures_in_a_row - 3, 20));
    world.add_event(service,
                    fmt::format("(service {}) is unable to consistently start tasks successfully.",
                                service.name),
                    now);
  }
  bool is_primary = &deployment == service.primary();
  deployment.progress =
      count_outcome(deployment.progress, Outcome::failed, service.breaker, service.desired);
  deployment.updated = now;
  if (is_primary && deployment.progress.has_tripped && deployment.rollout == "IN_PROGRESS")
    trip(world, service, now);
}

// Counts how tasks turned out, once each; trips the breaker.
void count_outcomes(World& world, ServiceRecord& service, const TickHooks& hooks,
                    std::int64_t now) {
  for (auto& [key, task] : world.tasks) {
    if (task.service != service.name || task.cluster != service.cluster ||
        task.scope != service.scope)
      continue;
    Deployment* deployment = deployment_of(service, task);
    if (!task.was_healthy && is_healthy(service, task, hooks, now)) {
      task.was_healthy = true;
      world.dirty_tasks.insert(key);
      if (deployment) {
        deployment->failures_in_a_row = 0;
        deployment->progress =
            count_outcome(deployment->progress, Outcome::healthy, service.breaker, service.desired);
      }
    }
    bool has_ended = task.has_stopped() || task.is_stopping();
    if (!has_ended || task.is_counted) continue;
    task.is_counted = true;
    world.dirty_tasks.insert(key);
    bool is_wanted =
        task.stop_code == "UserInitiated" || task.stopped_reason.starts_with("Scaling activity");
    bool died_early = task.stop_code == "EssentialContainerExited" &&
                      (task.stopping > 0 ? task.stopping : now) - task.started < kEarlyDeathMs;
    if (!deployment || is_wanted || (task.was_healthy && !died_early)) continue;
    count_failure(world, service, *deployment, now);
  }
}

void stop_unhealthy(World& world, ServiceRecord& service, const TickHooks& hooks,
                    std::int64_t now) {
  for (auto& [key, task] : world.tasks) {
    if (task.service != service.name || task.cluster != service.cluster ||
        task.scope != service.scope)
      continue;
    if (task.last_status != "RUNNING" || task.is_stopping()) continue;
    if (now - task.started < static_cast<std::int64_t>(service.grace_seconds) * 1000) continue;
    if (task.health() == "UNHEALTHY") {
      world.add_event(service,
                      fmt::format("(service {}) (task {}) failed container health checks.",
                                  service.name, task.id),
                      now);
      hooks.stop(task, "ServiceSchedulerInitiated", "Task failed container health checks");
    } else if (auto failed = hooks.failed_target(task)) {
      world.add_event(
          service,
          fmt::format("(service {}) (task {}) (port {}) is unhealthy in (target-group {}) due to "
                      "(reason {}).",
                      service.name, task.id, failed->port, failed->group, failed->reason),
          now);
      hooks.stop(task, "ServiceSchedulerInitiated",
                 fmt::format("Task failed ELB health checks in (target-group {})", failed->group));
    }
  }
}

// Tasks that cannot even be launched (their roles are missing) count as failures of the deployment.
void start_tasks(World& world, ServiceRecord& service, int wanted, const TickHooks& hooks,
                 std::int64_t now) {
  Deployment& primary = *service.primary();
  Json definition = hooks.definition(primary.task_definition_arn);
  if (auto error = hooks.launch_error(definition); !error.empty()) {
    world.add_event(
        service,
        fmt::format("(service {}) failed to launch a task with (error {}).", service.name, error),
        now);
    primary.not_before = now + kFirstPauseMs;
    count_failure(world, service, primary, now);
    return;
  }
  std::vector<std::string> ids;
  for (int i = 0; i < wanted; ++i) {
    Task task = new_task(service.scope, service.cluster, definition, now);
    task.service = service.name;
    task.group = "service:" + service.name;
    task.deployment = task.started_by = primary.id;
    task.network = primary.network;
    task.volumes = attached_volumes(primary.volumes.as_array());
    task.can_execute = service.settings.get_bool("enableExecuteCommand");
    if (service.settings.get_string("propagateTags") == "SERVICE") task.tags = service.tags;
    ids.push_back(task.id);
    std::string key = full_key(task.scope, task.key());
    world.dirty_tasks.insert(key);
    world.tasks.emplace(key, std::move(task));
  }
  world.add_event(
      service,
      fmt::format("(service {}) has started {} tasks:{}.", service.name, wanted, list_of(ids)),
      now);
}

// When a running task may become healthy by time alone; 0: it does not wait for that.
std::int64_t healthy_from(const ServiceRecord& service, const Task& task, std::int64_t now) {
  if (task.last_status != "RUNNING") return 0;
  auto from = task.started + (has_checks(service, task) ? kLeastRunMs : kSteadyAfterMs);
  return from > now ? from : 0;
}

std::int64_t sooner(std::int64_t a, std::int64_t b) {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

// Ended deployments move to the history: those without tasks that are no longer PRIMARY.
void retire(ServiceRecord& service, const std::vector<const Task*>& live) {
  for (std::size_t i = 1; i < service.deployments.size();) {
    auto& d = service.deployments[i];
    bool has_tasks =
        std::any_of(live.begin(), live.end(), [&](const Task* t) { return t->deployment == d.id; });
    if (has_tasks) {
      ++i;
      continue;
    }
    d.status = "INACTIVE";
    service.history.insert(service.history.begin(), d);
    service.deployments.erase(service.deployments.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (service.history.size() > kHistory) service.history.resize(kHistory);
}

void complete(World& world, ServiceRecord& service, std::int64_t now) {
  Deployment& primary = *service.primary();
  change_rollout(primary, "COMPLETED", fmt::format("ECS deployment {} completed.", primary.id),
                 now);
  primary.is_rollback = false;
  world.add_event(
      service,
      fmt::format("(service {}) (deployment {}) deployment completed.", service.name, primary.id),
      now);
  world.add_event(service, fmt::format("(service {}) has reached a steady state.", service.name),
                  now);
}

bool is_before_production(const std::string& stage) {
  for (const char* one : {"SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT",
                          "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"}) {
    if (stage == one) return true;
  }
  return false;
}

// A hook took the deployment back by its time's end.
void give_up_paused(World& world, ServiceRecord& service, std::int64_t now) {
  change_rollout(*service.primary(), "FAILED", "ECS deployment failed: a lifecycle hook timed out.",
                 now);
  roll_back(world, service, "ECS deployment lifecycle hook", now);
}

// A revision beside the old one goes from stage to stage. Returns when to look again; 0: when something changes.
std::int64_t advance(World& world, ServiceRecord& service, bool is_up, std::int64_t now) {
  Deployment& primary = *service.primary();
  auto plan = traffic_plan(service.strategy);
  const Deployment* beside = nullptr;
  for (const auto& d : service.deployments) {
    if (&d != &primary && (beside == nullptr || d.rollout == "COMPLETED")) beside = &d;
  }
  auto enter = [&](const char* stage) {
    primary.stage = stage;
    primary.stage_since = now;
    primary.updated = now;
  };
  PauseVerdict pause;
  // Whether the deployment stays at one of these stages for a hook; it is taken back when that says so.
  auto stays = [&](std::initializer_list<const char*> stages) {
    for (const char* stage : stages) {
      if (beside == nullptr) continue;
      pause = ask_pauses(service.strategy, primary, stage, now);
      if (pause.kind == PauseVerdict::Kind::passes) continue;
      if (pause.kind == PauseVerdict::Kind::rolls_back)
        give_up_paused(world, service, now);
      else if (primary.stage != stage)
        enter(stage);
      return true;
    }
    return false;
  };
  if (primary.stage == "PRE_SCALE_UP") {
    if (stays({"PRE_SCALE_UP"})) return pause.until;
    enter("SCALE_UP");
    return now;
  }
  if (is_before_production(primary.stage)) {
    if (!is_up) return 0;
    if (stays({"POST_SCALE_UP", "TEST_TRAFFIC_SHIFT"})) return pause.until;
    if (!primary.is_ready && beside != nullptr) lead_tests_to(world, primary, *beside);
    primary.is_ready = true;
    if (stays({"POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"})) return pause.until;
    if (primary.is_held) return 0;
    enter(beside != nullptr ? "PRODUCTION_TRAFFIC_SHIFT" : "CLEAN_UP");
  }
  if (primary.stage == "PRODUCTION_TRAFFIC_SHIFT") {
    if (primary.weight == 0 && stays({"PRODUCTION_TRAFFIC_SHIFT"})) return pause.until;
    auto elapsed = now - primary.stage_since;
    if (int weight = weight_at(plan, elapsed); weight != primary.weight && beside != nullptr) {
      primary.weight = weight;
      tell_balancers(world, primary, *beside);
    }
    if (auto next = next_change_after(plan, elapsed); next > 0) return primary.stage_since + next;
    enter("POST_PRODUCTION_TRAFFIC_SHIFT");
  }
  if (primary.stage == "POST_PRODUCTION_TRAFFIC_SHIFT") {
    if (stays({"POST_PRODUCTION_TRAFFIC_SHIFT"})) return pause.until;
    enter("BAKE_TIME");
  }
  if (primary.stage == "BAKE_TIME") {
    if (now - primary.stage_since < plan.bake_ms) return primary.stage_since + plan.bake_ms;
    enter("CLEAN_UP");
  }
  return now + 1;  // the old revision may go now
}

}  // namespace

std::int64_t tick(World& world, ServiceRecord& service, const TickHooks& hooks, std::int64_t now) {
  std::string key = full_key(service.scope, service.key());
  Json before = to_json(service);
  stop_unhealthy(world, service, hooks, now);
  count_outcomes(world, service, hooks, now);
  watch_alarms(world, service, hooks, now);
  auto live = world.live_tasks(service);
  if (service.status == "DRAINING" && live.empty()) service.status = "INACTIVE";
  std::int64_t again = 0;
  if (Deployment* primary = service.primary(); primary && service.status != "INACTIVE") {
    std::vector<TaskView> views;
    for (const auto* task : live) {
      if (!task->is_stopping() && !task->has_stopped()) {
        views.push_back({full_key(task->scope, task->key()), task->deployment == primary->id,
                         is_healthy(service, *task, hooks, now), task->created});
        again = sooner(again, healthy_from(service, *task, now));
      }
    }
    bool may_start = primary->rollout != "FAILED" && now >= primary->not_before &&
                     primary->stage != "PRE_SCALE_UP";
    if (now < primary->not_before) again = sooner(again, primary->not_before);
    bool is_beside = !primary->stage.empty() && primary->rollout == "IN_PROGRESS";
    auto decision =
        is_beside
            ? decide_beside(views, service.desired, may_start, primary->stage == "CLEAN_UP")
            : decide(views, service.desired,
                     rolling_bounds(service.desired, service.min_percent, service.max_percent),
                     may_start);
    std::vector<std::string> stopped;
    for (const auto& id : decision.stop) {
      Task& task = world.tasks.at(id);
      if (task.protected_until > now) {
        again = sooner(again, task.protected_until);
        continue;
      }
      stopped.push_back(task.id);
      hooks.stop(task, "ServiceSchedulerInitiated",
                 fmt::format("Scaling activity initiated by (deployment {})", primary->id));
    }
    if (!stopped.empty()) {
      world.add_event(service,
                      fmt::format("(service {}) has stopped {} running tasks:{}.", service.name,
                                  stopped.size(), list_of(stopped)),
                      now);
    }
    if (decision.start > 0) start_tasks(world, service, decision.start, hooks, now);
    primary = service.primary();
    if (now < primary->not_before) again = sooner(again, primary->not_before);
    if (decision.is_stuck) {
      world.add_event(
          service,
          fmt::format("(service {}) was unable to stop or start tasks during a deployment because "
                      "of the service deployment configuration. Update the minimumHealthyPercent "
                      "or maximumPercent value and try again.",
                      service.name),
          now);
    }
    live = world.live_tasks(service);
    retire(service, live);
    primary = service.primary();
    auto good = std::count_if(live.begin(), live.end(), [&](const Task* task) {
      return task->deployment == primary->id && is_healthy(service, *task, hooks, now);
    });
    is_beside = !primary->stage.empty() && primary->rollout == "IN_PROGRESS";
    if (is_beside && primary->stage != "CLEAN_UP")
      again = sooner(again, advance(world, service, good >= service.desired, now));
    primary = service.primary();  // another one when a hook has taken the deployment back
    is_beside = !primary->stage.empty() && primary->rollout == "IN_PROGRESS";
    bool may_complete = !is_beside || primary->stage == "CLEAN_UP";
    if (may_complete && primary->rollout == "IN_PROGRESS" && good >= service.desired &&
        live.size() == static_cast<std::size_t>(service.desired)) {
      if (auto at = baked_at(service, *primary, hooks, now); at > 0) {
        again = sooner(again, at);
      } else {
        primary->stage.clear();
        complete(world, service, now);
      }
    }
  }
  if (to_json(service) != before) world.dirty_services.insert(key);
  return again;
}

}  // namespace slipway::cloud::ecs
