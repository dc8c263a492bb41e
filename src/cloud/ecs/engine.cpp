// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/engine.hpp"

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/cloudwatch/alarms.hpp"
#include "cloud/ecs/task_run.hpp"
#include "cloud/iam/authoriser.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::size_t kEvents = 100;
constexpr std::int64_t kStoppedKeptMs =
    3600 * 1000;  // DescribeTasks answers for an hour after the end

std::vector<std::pair<std::string, std::uint16_t>> targets_of(const ServiceRecord& service,
                                                              const Task& task) {
  std::vector<std::pair<std::string, std::uint16_t>> out;
  for (const auto& balancer : balancers_of(service, task.deployment)) {
    std::string arn = balancer.get_string("targetGroupArn");
    if (!arn.empty())
      out.emplace_back(arn, static_cast<std::uint16_t>(balancer.get_int("containerPort")));
  }
  return out;
}

}  // namespace

std::string full_key(const Scope& scope, const std::string& key) {
  return scope.account + "/" + scope.region + "/" + key;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<const Task*> World::live_tasks(const ServiceRecord& service) const {
  std::vector<const Task*> out;
  std::string prefix = full_key(service.scope, service.cluster + "/");
  for (auto it = tasks.lower_bound(prefix); it != tasks.end() && it->first.starts_with(prefix);
       ++it) {
    if (it->second.service == service.name && !it->second.has_stopped()) out.push_back(&it->second);
  }
  return out;
}

void World::add_event(ServiceRecord& service, const std::string& text, std::int64_t now) {
  if (!service.events.empty() && service.events.front().get_string("message") == text) return;
  service.events.insert(
      service.events.begin(),
      Json::object(
          {{"id", uuid()}, {"createdAt", static_cast<double>(now) / 1000.0}, {"message", text}}));
  if (service.events.size() > kEvents) service.events.resize(kEvents);
  dirty_services.insert(full_key(service.scope, service.key()));
}

Engine::Engine(const Surroundings& around, Images& images, elb::Targets& targets)
    : around_(around), images_(images), targets_(targets) {
  load();
  targets_.on_change([this] { world_.with([](World& world) { ++world.version; }); });
}

Engine::~Engine() { targets_.on_change({}); }

void Engine::load() {
  around_.state.read([&](Tables& tables) {
    world_.with([&](World& world) {
      for (const auto& [scope, stored] : tables.list_everywhere("ecs.cluster"))
        world.clusters.insert(full_key(scope, stored.id));
      for (const auto& [scope, stored] : tables.list_everywhere("ecs.service")) {
        world.services.emplace(full_key(scope, stored.id), service_from_json(scope, stored.body));
      }
      for (const auto& [scope, stored] : tables.list_everywhere("ecs.task")) {
        world.tasks.emplace(full_key(scope, stored.id), task_from_json(scope, stored.body));
      }
    });
  });
}

void Engine::save(World& world) {
  ++world.version;
  if (world.dirty_services.empty() && world.dirty_tasks.empty() && world.gone_tasks.empty()) return;
  around_.state.write([&](Tables& tables) {
    for (const auto& key : world.dirty_services) {
      auto it = world.services.find(key);
      if (it != world.services.end())
        tables.put("ecs.service", it->second.scope, it->second.key(), to_json(it->second));
    }
    for (const auto& key : world.dirty_tasks) {
      auto it = world.tasks.find(key);
      if (it != world.tasks.end())
        tables.put("ecs.task", it->second.scope, it->second.key(), to_json(it->second));
    }
    for (const auto& key : world.gone_tasks) {
      auto it = world.tasks.find(key);
      if (it != world.tasks.end()) tables.erase("ecs.task", it->second.scope, it->second.key());
    }
  });
  for (const auto& key : world.gone_tasks) world.tasks.erase(key);
  world.dirty_services.clear();
  world.dirty_tasks.clear();
  world.gone_tasks.clear();
}

void Engine::request_stop(World& world, Task& task, const std::string& code,
                          const std::string& reason) {
  if (task.is_stopping()) return;
  task.desired_status = "STOPPED";
  task.stop_code = code;
  task.stopped_reason = reason;
  task.stopping = now_ms();
  ++task.version;
  std::string key = full_key(task.scope, task.key());
  world.dirty_tasks.insert(key);
  stops_.with([&](auto& stops) {
    if (auto it = stops.find(key); it != stops.end()) it->second.request_stop();
  });
}

std::optional<Json> Engine::task_definition(const Scope& scope, const std::string& arn) {
  auto slash = arn.find_last_of('/');
  auto name = slash == std::string::npos ? arn : arn.substr(slash + 1);
  auto colon = name.find(':');
  if (colon == std::string::npos) return std::nullopt;
  auto number = to_integer(name.substr(colon + 1));
  if (!number) return std::nullopt;
  return around_.state.read([&](Tables& tables) {
    return tables.get("ecs.taskdef", scope,
                      fmt::format("{}:{:010}", name.substr(0, colon), *number));
  });
}

std::string Engine::launch_error(const Json& definition) const {
  for (const char* key : {"executionRoleArn", "taskRoleArn"}) {
    std::string role = definition.get_string(key);
    if (role.empty() || around_.authoriser.trusts_service(role, "ecs-tasks.amazonaws.com"))
      continue;
    return fmt::format(
        "ECS was unable to assume the role '{}' that was provided for this task. Please verify "
        "that the role being passed has the proper trust "
        "relationship and permissions and that your IAM user has permissions to pass this role.",
        role);
  }
  return "";
}

void Engine::prune(World& world) {
  for (const auto& [key, task] : world.tasks) {
    if (task.has_stopped() && now_ms() - task.stopped > kStoppedKeptMs)
      world.gone_tasks.insert(key);
  }
}

void Engine::run(std::stop_token stop) {
  TaskGroup runners(stop);
  std::uint64_t seen = 0;
  std::int64_t again = now_ms();
  TickHooks hooks;
  World* current = nullptr;
  const ServiceRecord* service_now = nullptr;
  hooks.is_in_service = [&](const Task& task) {
    for (const auto& [arn, port] : targets_of(*service_now, task)) {
      if (targets_.health(arn, task.address, port).state != "healthy") return false;
    }
    return true;
  };
  hooks.failed_target = [&](const Task& task) -> std::optional<FailedTarget> {
    if (!task.is_target) return std::nullopt;
    for (const auto& [arn, port] : targets_of(*service_now, task)) {
      auto health = targets_.health(arn, task.address, port);
      if (health.state == "unhealthy") return FailedTarget{arn, port, health.description};
    }
    return std::nullopt;
  };
  hooks.definition = [&](const std::string& arn) {
    return task_definition(service_now->scope, arn).value_or(Json::object());
  };
  hooks.alarm = [&](const std::string& name) {
    auto alarm = around_.alarms.get(service_now->scope, name);
    if (!alarm) return WatchedAlarm{};
    return WatchedAlarm{
        alarm->get_string("StateValue") == "ALARM",
        alarm->get_int("Period", 60) * alarm->get_int("EvaluationPeriods", 1) * 1000};
  };
  hooks.launch_error = [&](const Json& definition) { return launch_error(definition); };
  hooks.stop = [&](Task& task, const std::string& code, const std::string& reason) {
    request_stop(*current, task, code, reason);
  };
  while (!stop.stop_requested()) {
    auto deadline =
        again > 0
            ? Deadline::in(std::chrono::milliseconds(std::max<std::int64_t>(again - now_ms(), 0)))
            : Deadline::in(std::chrono::minutes(1));
    world_.wait(
        stop, deadline, [&](const World& world) { return world.version != seen; }, [](World&) {});
    if (stop.stop_requested()) break;
    again = 0;
    std::vector<std::string> starting;
    std::vector<TrafficShift> shifts;
    change([&](World& world) {
      current = &world;
      for (auto& [key, service] : world.services) {
        if (service.status == "INACTIVE") continue;
        service_now = &service;
        std::int64_t next = tick(world, service, hooks, now_ms());
        if (next > 0 && (again == 0 || next < again)) again = next;
      }
      prune(world);
      shifts.swap(world.shifts);
      seen = world.version + 1;  // save() counts this change too
      stops_.with([&](auto& stops) {
        for (const auto& [key, task] : world.tasks) {
          if (task.has_stopped() || stops.contains(key)) continue;
          auto& source = stops[key];
          if (task.is_stopping()) source.request_stop();
          starting.push_back(key);
        }
      });
    });
    for (const auto& shift : shifts) {
      try {
        targets_.set_weights(shift.rule, shift.weights);
      } catch (const std::exception& error) {
        around_.log.warn("ecs: traffic of {}: {}", shift.rule, error.what());
      }
    }
    for (const auto& key : starting) {
      std::stop_token task_stop =
          stops_.read([&](const auto& stops) { return stops.at(key).get_token(); });
      runners.start([this, key, task_stop](const std::stop_token& cloud_stop) {
        try {
          run_task(*this, key, task_stop, cloud_stop);
        } catch (const Cancelled&) {
          around_.log.debug("ecs: task {} cancelled", key);
        } catch (const std::exception& error) {
          around_.log.error("ecs: task {}: {}", key, error.what());
          fail_task(*this, key, error.what());
        }
        stops_.with([&](auto& stops) { stops.erase(key); });
        change([](World&) {});
      });
    }
  }
  runners.join();
}

}  // namespace slipway::cloud::ecs
