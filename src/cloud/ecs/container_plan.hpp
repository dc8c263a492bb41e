// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cloud/ecs/images.hpp"
#include "cloud/ecs/model.hpp"
#include "container/runtime.hpp"

namespace slipway::cloud::ecs {

struct Dependency {
  std::string container;
  std::string condition;  ///< START, COMPLETE, SUCCESS, HEALTHY
};

/// A container's health check, its numbers filled in. source ECS API, HealthCheck
struct HealthCheck {
  std::vector<std::string> argv;
  std::chrono::seconds interval{30};
  std::chrono::seconds timeout{5};
  std::chrono::seconds start_period{0};
  int retries = 3;
};

/// Where a container's output goes.
struct AwsLogs {
  std::string group;
  std::string stream;
  bool create_group = false;
};

/// All that is needed to start one container of a task.
struct ContainerPlan {
  std::string name;
  container::ContainerSpec spec;
  std::vector<Dependency> depends_on;
  std::optional<HealthCheck> health;
  std::optional<AwsLogs> logs;
  bool is_essential = true;
  int stop_signal = 15;
  std::chrono::seconds stop_timeout{30};
  std::chrono::seconds start_timeout{180};  ///< how long others wait for what they need of it
};

/// What a plan is made from besides the task definition.
struct PlanInputs {
  const Task& task;
  const Json& definition;  ///< containerDefinitions' item
  const Json& task_definition;
  const TaskImage& image;
  std::map<std::string, std::string> secrets;   ///< name → value, resolved
  std::map<std::string, std::string> file_env;  ///< of environmentFiles
  std::map<std::string, std::string> more_env;  ///< AWS_REGION and its like
  std::filesystem::path
      directory;  ///< the container's own: upper and work directories, resolv.conf, hosts
  std::filesystem::path netns;
};

/// Merges image, definition and overrides as the ECS agent does. The directory's files must exist when it starts.
///   throws  Error{bad_input}: a user that the image does not have, no command
///   source  ECS developer guide, "Task definition parameters for Fargate"; shared facts ecs-deploy.md 5.7
ContainerPlan plan_container(const PlanInputs& inputs);

/// The id under which a task's container runs.
std::string runtime_id_of(const Task& task, const std::string& container);

}  // namespace slipway::cloud::ecs
