// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/rolling.hpp"

#include <algorithm>

namespace slipway::cloud::ecs {
namespace {

constexpr int kLeastFailures = 3;
constexpr int kMostFailures = 200;

int percent_up(int value, int percent) {
  return static_cast<int>((static_cast<std::int64_t>(value) * percent + 99) / 100);
}

}  // namespace

Bounds rolling_bounds(int desired, int minimum_healthy_percent, int maximum_percent) {
  auto most = static_cast<std::int64_t>(desired) * maximum_percent / 100;
  return {percent_up(desired, minimum_healthy_percent), static_cast<int>(most)};
}

int breaker_threshold(const Breaker& breaker, int desired) {
  switch (breaker.kind) {
    case Breaker::Kind::count:
      return breaker.value;
    case Breaker::Kind::unbounded_percent:
      return percent_up(desired, breaker.value);
    case Breaker::Kind::bounded_percent:
      break;
  }
  return std::clamp(percent_up(desired, breaker.value), kLeastFailures, kMostFailures);
}

Decision decide(const std::vector<TaskView>& tasks, int desired, Bounds bounds, bool may_start) {
  std::vector<const TaskView*> primary;
  std::vector<const TaskView*> old;
  int healthy = 0;
  for (const auto& task : tasks) {
    (task.is_primary ? primary : old).push_back(&task);
    if (task.is_healthy) ++healthy;
  }
  // Unhealthy before healthy, then the oldest first (of the PRIMARY's surplus: the newest first).
  std::sort(old.begin(), old.end(), [](const TaskView* a, const TaskView* b) {
    return a->is_healthy != b->is_healthy ? !a->is_healthy : a->created < b->created;
  });
  std::sort(primary.begin(), primary.end(), [](const TaskView* a, const TaskView* b) {
    return a->is_healthy != b->is_healthy ? !a->is_healthy : a->created > b->created;
  });
  Decision decision;
  int spare = healthy - bounds.min_healthy;
  auto stop_if_spare = [&](const TaskView& task) {
    if (task.is_healthy && spare <= 0) return;
    if (task.is_healthy) --spare;
    decision.stop.push_back(task.id);
  };
  int primary_count = static_cast<int>(primary.size());
  for (int i = 0; i < primary_count - desired; ++i)
    decision.stop.push_back(primary[static_cast<std::size_t>(i)]->id);
  for (const auto* task : old) stop_if_spare(*task);
  int total = static_cast<int>(tasks.size());
  if (may_start)
    decision.start = std::max(0, std::min(desired - primary_count, bounds.max_total - total));
  bool is_in_flight = std::any_of(primary.begin(), primary.end(),
                                  [](const TaskView* task) { return !task->is_healthy; });
  decision.is_stuck =
      may_start && !old.empty() && decision.start == 0 && decision.stop.empty() && !is_in_flight;
  return decision;
}

Progress count_outcome(Progress progress, Outcome outcome, const Breaker& breaker, int desired) {
  if (progress.has_tripped) return progress;
  switch (outcome) {
    case Outcome::stopped:
      break;
    case Outcome::healthy:
      if (breaker.resets_on_healthy) progress.failed_tasks = 0;
      break;
    case Outcome::failed:
    case Outcome::unhealthy:
      ++progress.failed_tasks;
      progress.has_tripped =
          breaker.enabled && progress.failed_tasks >= breaker_threshold(breaker, desired);
      break;
  }
  return progress;
}

}  // namespace slipway::cloud::ecs
