// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "cloud/ecs/engine.hpp"
#include "net/http_server.hpp"

namespace slipway::cloud::ecs {

/// What ECS's agent answers inside a task at 169.254.170.2: the task metadata endpoint version 4 (and 3) and the credentials of the task role.
///   source  ECS developer guide, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate", "Task IAM role"
class TaskEndpoint final {
 public:
  /// Listens inside the task's network namespace.
  ///   key  the task's in the world, which has it as long as this lives
  ///   throws  Error{unavailable}
  TaskEndpoint(Engine& engine, std::string key, Json definition,
               const std::filesystem::path& netns);
  /// Answers until `stop`.
  void run(const std::stop_token& stop) { server_->run(stop); }

 private:
  void handle(const net::ServerRequest& request, net::ResponseWriter& response);
  [[nodiscard]] Json container_json(const Task& task, const TaskContainer& container) const;
  [[nodiscard]] Json task_json(const Task& task) const;
  [[nodiscard]] Json credentials(const Task& task) const;

  Engine& engine_;
  std::string key_;
  Json definition_;
  std::unique_ptr<net::HttpServer> server_;
};

/// The variables that lead a container to its endpoint.
std::map<std::string, std::string> endpoint_environment(const Task& task,
                                                        const TaskContainer& container,
                                                        const Json& definition);

}  // namespace slipway::cloud::ecs
