// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>

#include "cloud/ecs/engine.hpp"

namespace slipway::cloud::ecs {

/// Puts CPUUtilization and MemoryUtilization of every service into CloudWatch (AWS/ECS, by ClusterName and ServiceName), a value for each
/// running task, until `stop`. Percent of what the task definition reserves.
void meter_services(Engine& engine, const std::stop_token& stop);

}  // namespace slipway::cloud::ecs
