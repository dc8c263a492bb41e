// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cloud/ecs/container_plan.hpp"
#include "cloud/ecs/engine.hpp"

// What the agent does for a task before its containers start.
namespace slipway::cloud::ecs {

/// The task cannot start; the text is the whole stoppedReason.
struct CannotStart {
  std::string reason;
};

/// container -> variable -> value of all secrets, read as the execution role. throws CannotStart with the agent's words
std::map<std::string, std::map<std::string, std::string>> resolve_secrets(Engine& engine,
                                                                          const Task& task,
                                                                          const Json& definition);
/// The lines VARIABLE=VALUE of an environment file; comments and what is no such line are left out.
std::map<std::string, std::string> parse_environment_file(std::string_view text);
/// container -> variable -> value of its environmentFiles in S3, read as the execution role. throws CannotStart
std::map<std::string, std::map<std::string, std::string>> read_environment_files(
    Engine& engine, const Task& task, const Json& definition);
/// The variables that the agent gives to a container.
std::map<std::string, std::string> agent_environment(const Engine& engine, const Task& task,
                                                     const Json& definition,
                                                     const std::string& container);
/// Writes the task's resolv.conf and hosts into its directory; `aliases`: more lines of hosts.
void write_network_files(const Engine& engine, const std::filesystem::path& directory,
                         const std::string& address, const std::string& aliases);
/// Finds (or, where awslogs-create-group says so, makes) the log groups, and makes the streams. throws CannotStart
void check_logs(Engine& engine, const Task& task, const Json& definition,
                const std::vector<ContainerPlan>& plans);

}  // namespace slipway::cloud::ecs
