// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>
#include <string>

#include "cloud/ecs/engine.hpp"

namespace slipway::cloud::ecs {

/// Carries a task from where its record says it is to STOPPED; containers that run already are taken over.
///   key         full key of the task
///   task_stop   asked for by Engine::request_stop()
///   cloud_stop  the cloud ends: the task's containers are ended quickly
void run_task(Engine& engine, const std::string& key, const std::stop_token& task_stop,
              const std::stop_token& cloud_stop);

/// Marks a task STOPPED because its runner broke; whatever still runs of it is removed.
void fail_task(Engine& engine, const std::string& key, const std::string& reason);

}  // namespace slipway::cloud::ecs
