// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace slipway::cloud::ecs {

/// How many tasks a rolling deployment must keep and may have.
struct Bounds {
  int min_healthy = 0;  ///< ceil(desired * minimumHealthyPercent / 100)
  int max_total = 0;    ///< floor(desired * maximumPercent / 100)
  bool operator==(const Bounds&) const = default;
};

/// The bounds for REPLICA services.
///   desired  0 or more; percents as UpdateService takes them, 0 to 200 and more
///   source   ECS developer guide, "Deploy Amazon ECS services by replacing tasks"
Bounds rolling_bounds(int desired, int minimum_healthy_percent, int maximum_percent);

/// When the circuit breaker trips. source ECS API, DeploymentCircuitBreaker and its thresholdConfiguration (2026)
struct Breaker {
  enum class Kind { bounded_percent, unbounded_percent, count };
  bool enabled = false;
  bool rolls_back = false;
  bool resets_on_healthy = true;
  Kind kind = Kind::bounded_percent;
  int value = 50;  ///< percent of the desired count, or a count of tasks
};

/// Failures in a row that trip the breaker: 50 % of the desired count, at least 3, at most 200, unless configured.
int breaker_threshold(const Breaker& breaker, int desired);

/// One task of a service, as a decision sees it. Tasks that are being stopped are left out.
struct TaskView {
  std::string id;
  bool is_primary = false;   ///< of the PRIMARY deployment
  bool is_healthy = false;   ///< RUNNING and what the service asks for (target, container checks)
  std::int64_t created = 0;  ///< orders the tasks; older ones stop first
};

/// What the scheduler does next.
struct Decision {
  int start = 0;                  ///< tasks of the PRIMARY deployment to start
  std::vector<std::string> stop;  ///< tasks of older deployments, and surplus ones of the PRIMARY
  bool is_stuck =
      false;  ///< old tasks remain, but the bounds let nothing start or stop and nothing is under way
};

/// One step towards `desired` tasks of the PRIMARY deployment, within the bounds. Unhealthy and pending old tasks stop
/// first and for free; healthy ones only while min_healthy others stay.
///   may_start  false when the PRIMARY has FAILED or its restarts are throttled
Decision decide(const std::vector<TaskView>& tasks, int desired, Bounds bounds, bool may_start);

/// How one task of a deployment turned out, for the breaker.
enum class Outcome {
  failed,     ///< stopped before it was ever counted healthy
  healthy,    ///< became healthy for the first time
  unhealthy,  ///< had run, was replaced because its health checks failed
  stopped,    ///< stopped by a user or by scaling; does not count
};

/// The breaker's count for one deployment.
struct Progress {
  int failed_tasks = 0;
  bool has_tripped = false;
  bool operator==(const Progress&) const = default;
};

/// Counts one outcome. What happens after the breaker has tripped changes nothing.
Progress count_outcome(Progress progress, Outcome outcome, const Breaker& breaker, int desired);

}  // namespace slipway::cloud::ecs
