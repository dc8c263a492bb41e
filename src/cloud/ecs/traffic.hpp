// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cloud/ecs/rolling.hpp"
#include "formats/json.hpp"

namespace slipway::cloud::ecs {

/// How production traffic moves to a new service revision that stands beside the old one.
///   source  ECS API, DeploymentConfiguration: strategy, bakeTimeInMinutes, linearConfiguration, canaryConfiguration
struct TrafficPlan {
  enum class Kind { rolling, all_at_once, linear, canary };
  Kind kind = Kind::rolling;
  double step_percent = 100;      ///< linear: of each step; canary: of the first
  std::int64_t step_bake_ms = 0;  ///< between steps
  std::int64_t bake_ms = 0;       ///< with all of the traffic, before the old revision goes
  bool operator==(const TrafficPlan&) const = default;
};

/// The plan that a deployment configuration asks for; what it leaves out is AWS's default.
TrafficPlan traffic_plan(const formats::Json& configuration);
/// Percent of the production traffic for the new revision, `elapsed_ms` after it began to move.
int weight_at(const TrafficPlan& plan, std::int64_t elapsed_ms);
/// When, after the beginning, the weight changes next; 0: it has all.
std::int64_t next_change_after(const TrafficPlan& plan, std::int64_t elapsed_ms);

/// What to start and stop while two revisions stand side by side: all of the new one beside all of the old, which goes when the traffic has
/// moved and the bake time is over.
///   tasks        TaskView::is_primary: of the new revision
///   is_cleaning  the old revision may go
Decision decide_beside(const std::vector<TaskView>& tasks, int desired, bool may_start,
                       bool is_cleaning);

/// Production traffic that a load balancer has to be told about.
struct TrafficShift {
  std::string rule;                                  ///< ARN of a listener rule or a listener
  std::vector<std::pair<std::string, int>> weights;  ///< target group's ARN -> percent
};

}  // namespace slipway::cloud::ecs
