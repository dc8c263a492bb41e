// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/service_meter.hpp"

#include <chrono>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/cloudwatch/metrics.hpp"
#include "container/runtime.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::chrono::seconds kBetween{20};

struct Running {
  Scope scope;
  std::string cluster, service, task;
  double cpu_units = 0;
  double memory_mib = 0;
  std::vector<std::string> containers;  // runtime ids
};

std::vector<Running> running_tasks(const Engine& engine) {
  return engine.read([](const World& world) {
    std::vector<Running> out;
    for (const auto& [key, task] : world.tasks) {
      if (task.service.empty() || task.last_status != "RUNNING") continue;
      Running one{task.scope, task.cluster, task.service, key, 0, 0, {}};
      one.cpu_units = static_cast<double>(to_integer(task.cpu).value_or(0));
      one.memory_mib = static_cast<double>(to_integer(task.memory).value_or(0));
      for (const auto& container : task.containers) {
        if (!container.runtime_id.empty()) one.containers.push_back(container.runtime_id);
      }
      out.push_back(std::move(one));
    }
    return out;
  });
}

struct Used {
  double cpu_nanoseconds = 0;
  double memory_bytes = 0;
};

Used used_by(container::Runtime& runtime, const Running& task) {
  Used used;
  for (const auto& id : task.containers) {
    auto usage = runtime.usage(id);
    used.cpu_nanoseconds += static_cast<double>(usage.cpu_nanoseconds.value_or(0));
    used.memory_bytes += static_cast<double>(usage.memory_bytes.value_or(0));
  }
  return used;
}

}  // namespace

void meter_services(Engine& engine, const std::stop_token& stop) {
  auto* runtime = engine.around().options.runtime;
  if (runtime == nullptr) return;
  using MetricKey = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  std::map<std::string, std::pair<std::int64_t, double>> before;  // by task: when, nanoseconds
  Guarded<int> nothing;
  while (!stop.stop_requested()) {
    std::map<std::string, std::pair<std::int64_t, double>> seen;
    std::map<MetricKey, std::vector<cloudwatch::Datum>> values;
    for (const auto& task : running_tasks(engine)) {
      auto used = used_by(*runtime, task);
      auto now = now_ms();
      seen[task.task] = {now, used.cpu_nanoseconds};
      auto add = [&](const char* name, double percent) {
        values[{task.scope.account, task.scope.region, task.cluster, task.service, name}].push_back(
            cloudwatch::datum_of(percent, now, "Percent"));
      };
      if (task.memory_mib > 0)
        add("MemoryUtilization", used.memory_bytes / (task.memory_mib * 1048576.0) * 100.0);
      auto last = before.find(task.task);
      if (task.cpu_units <= 0 || last == before.end() || now <= last->second.first) continue;
      double nanoseconds = static_cast<double>(now - last->second.first) * 1e6;
      add("CPUUtilization", (used.cpu_nanoseconds - last->second.second) / nanoseconds /
                                (task.cpu_units / 1024.0) * 100.0);
    }
    before = std::move(seen);
    for (const auto& [key, data] : values) {
      const auto& [account, region, cluster, service, name] = key;
      engine.around().metrics.put(
          {account, region},
          {"AWS/ECS", name, {{"ClusterName", cluster}, {"ServiceName", service}}}, data);
    }
    nothing.wait(
        stop, Deadline::in(kBetween), [](int) { return false; }, [](int) {});
  }
}

}  // namespace slipway::cloud::ecs
