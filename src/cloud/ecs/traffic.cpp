// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/traffic.hpp"

#include <algorithm>
#include <cmath>

namespace slipway::cloud::ecs {
namespace {

using formats::Json;

constexpr std::int64_t kMinuteMs = 60'000;

std::int64_t minutes(const Json& json, const char* key, double otherwise) {
  return static_cast<std::int64_t>(json.get_number(key, otherwise) *
                                   static_cast<double>(kMinuteMs));
}

Json member(const Json& json, const char* key) {
  const Json* found = json.find(key);
  return found != nullptr && found->is_object() ? *found : Json::object();
}

}  // namespace

TrafficPlan traffic_plan(const Json& configuration) {
  TrafficPlan plan;
  std::string strategy = configuration.get_string("strategy", "ROLLING");
  plan.bake_ms = minutes(configuration, "bakeTimeInMinutes", strategy == "ROLLING" ? 0 : 5);
  if (strategy == "BLUE_GREEN") plan.kind = TrafficPlan::Kind::all_at_once;
  if (strategy == "LINEAR") {
    Json linear = member(configuration, "linearConfiguration");
    plan.kind = TrafficPlan::Kind::linear;
    plan.step_percent = linear.get_number("stepPercent", 10);
    plan.step_bake_ms = minutes(linear, "stepBakeTimeInMinutes", 6);
  }
  if (strategy == "CANARY") {
    Json canary = member(configuration, "canaryConfiguration");
    plan.kind = TrafficPlan::Kind::canary;
    plan.step_percent = canary.get_number("canaryPercent", 5);
    plan.step_bake_ms = minutes(canary, "canaryBakeTimeInMinutes", 10);
  }
  return plan;
}

int weight_at(const TrafficPlan& plan, std::int64_t elapsed_ms) {
  if (plan.kind == TrafficPlan::Kind::rolling || plan.kind == TrafficPlan::Kind::all_at_once ||
      plan.step_bake_ms <= 0)
    return 100;
  auto steps = elapsed_ms / plan.step_bake_ms + 1;
  if (plan.kind == TrafficPlan::Kind::canary)
    return steps > 1 ? 100 : static_cast<int>(std::lround(plan.step_percent));
  return static_cast<int>(
      std::min(100.0, std::round(plan.step_percent * static_cast<double>(steps))));
}

std::int64_t next_change_after(const TrafficPlan& plan, std::int64_t elapsed_ms) {
  return weight_at(plan, elapsed_ms) == 100
             ? 0
             : (elapsed_ms / plan.step_bake_ms + 1) * plan.step_bake_ms;
}

Decision decide_beside(const std::vector<TaskView>& tasks, int desired, bool may_start,
                       bool is_cleaning) {
  std::vector<const TaskView*> fresh;
  Decision decision;
  for (const auto& task : tasks) {
    if (task.is_primary) {
      fresh.push_back(&task);
    } else if (is_cleaning) {
      decision.stop.push_back(task.id);
    }
  }
  std::sort(fresh.begin(), fresh.end(),
            [](const TaskView* a, const TaskView* b) { return a->created > b->created; });
  auto count = static_cast<int>(fresh.size());
  for (int i = 0; i < count - desired; ++i)
    decision.stop.push_back(fresh[static_cast<std::size_t>(i)]->id);
  if (may_start) decision.start = std::max(0, desired - count);
  return decision;
}

}  // namespace slipway::cloud::ecs
