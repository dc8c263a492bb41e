// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>

#include "cloud/ecs/container_plan.hpp"
#include "cloud/ecs/model.hpp"

namespace slipway::cloud::ecs {

/// The volumes of a task definition against the containers' mountPoints and volumesFrom.
///   throws  Refusal{ClientException}
///   source  ECS developer guide, "Storage options for Amazon ECS tasks"
void check_volumes(const Json& definition, bool is_fargate);

/// What RunTask, CreateService and UpdateService give for the volumes that are configuredAtLaunch.
///   configurations  volumeConfigurations, may be empty
///   throws          Refusal{InvalidParameterException}
///   source          ECS API, TaskManagedEBSVolumeConfiguration, ServiceManagedEBSVolumeConfiguration
void check_volume_configurations(const Json::Array& configurations, const Json& definition);

/// The same configurations with a volume's id for each, as a task has them.
Json attached_volumes(const Json::Array& configurations);

/// Makes a task's volumes: directories of its own for those without more, a file system of the asked size for EBS, one that
/// outlives tasks for EFS.
///   task_directory  the task's own; its volumes lie in "volumes" below
///   shared          where EFS file systems lie, a directory each
///   returns         volume → directory
///   throws          CannotStart
std::map<std::string, std::filesystem::path> make_volumes(
    const Task& task, const Json& definition, const std::filesystem::path& task_directory,
    const std::filesystem::path& shared, const std::stop_token& stop);
/// Takes the file systems off again; their contents go with the task's directory.
void remove_volumes(const std::filesystem::path& task_directory);

/// Puts a container's mountPoints, and those of its volumesFrom, into its plan.
///   image  gives a new volume's directory its owner and mode where it declares a VOLUME there
void mount_volumes(ContainerPlan& plan, const Json& definition,
                   const std::map<std::string, std::filesystem::path>& volumes,
                   const TaskImage& image);

}  // namespace slipway::cloud::ecs
