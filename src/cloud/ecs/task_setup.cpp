// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/task_setup.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecs/task_endpoint.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"
#include "cloud/logs/log_store.hpp"
#include "cloud/secrets/value_from.hpp"
#include "os/file.hpp"

namespace slipway::cloud::ecs {
namespace {

namespace fs = std::filesystem;

// What the agent asks CloudWatch Logs for as the execution role, before anything runs.
void allow_logs(Engine& engine, const Task& task, const Json& definition, const std::string& action,
                const std::string& group, const char* doing) {
  std::string role = definition.get_string("executionRoleArn");
  std::string resource = arn("logs", task.scope.region, task.scope.account,
                             fmt::format("log-group:{}:log-stream:", group));
  auto decision =
      engine.around().authoriser.decide_for_role(role, action, resource, task.scope.region);
  if (decision.is_allowed) return;
  throw CannotStart{
      fmt::format("ResourceInitializationError: failed to validate logger args: create stream "
                  "has been retried 1 times: failed to create "
                  "Cloudwatch log {}: AccessDeniedException: User: "
                  "arn:{}:sts::{}:assumed-role/{}/{} is not authorized to perform: {} on "
                  "resource: {} {} : exit status 1",
                  doing, partition_of(task.scope.region), task.scope.account,
                  iam::role_name_of(role), task.id, action, resource, decision.reason)};
}

}  // namespace

std::map<std::string, std::map<std::string, std::string>> resolve_secrets(Engine& engine,
                                                                          const Task& task,
                                                                          const Json& definition) {
  std::map<std::string, std::map<std::string, std::string>> out;
  const auto& around = engine.around();
  std::string role = definition.get_string("executionRoleArn");
  for (const auto& item : definition.get_array("containerDefinitions")) {
    if (const auto& files = item.get_array("environmentFiles"); !files.empty()) {
      throw CannotStart{
          fmt::format("ResourceInitializationError: failed to download env files: slipway: "
                      "environment files are not supported yet: there is no S3 to get {} from",
                      files.front().get_string("value"))};
    }
    for (const auto& secret : item.get_array("secrets")) {
      auto value = secrets::resolve_value_from(secret.get_string("valueFrom"), role, task.scope,
                                               around.state, around.authoriser, formats::now());
      if (const auto* none = std::get_if<secrets::NoValue>(&value)) throw CannotStart{none->reason};
      out[item.get_string("name")][secret.get_string("name")] = std::get<std::string>(value);
    }
  }
  return out;
}

std::map<std::string, std::string> agent_environment(const Engine& engine, const Task& task,
                                                     const Json& definition,
                                                     const std::string& container) {
  std::map<std::string, std::string> env = {{"AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"},
                                            {"AWS_REGION", task.scope.region},
                                            {"AWS_DEFAULT_REGION", task.scope.region}};
  const auto& gateway = engine.around().options.gateway;
  if (!gateway.empty()) env["AWS_ENDPOINT_URL"] = "http://" + gateway;
  for (const auto& one : task.containers) {
    if (one.name == container) env.merge(endpoint_environment(task, one, definition));
  }
  return env;
}

void write_network_files(const Engine& engine, const fs::path& directory,
                         const std::string& address) {
  os::make_dirs(directory);
  const auto& gateway = engine.around().options.gateway;
  os::replace_file(
      directory / "resolv.conf",
      gateway.empty() ? "" : fmt::format("nameserver {}\noptions timeout:2 attempts:3\n", gateway));
  os::replace_file(
      directory / "hosts",
      fmt::format("127.0.0.1 localhost\n::1 localhost\n{} ip-{}.ec2.internal ip-{}\n", address,
                  replace_all(address, ".", "-"), replace_all(address, ".", "-")));
}

// The log groups must be there (or may be made) before anything runs, as the agent checks.
void check_logs(Engine& engine, const Task& task, const Json& definition,
                const std::vector<ContainerPlan>& plans) {
  auto& logs = engine.around().logs;
  for (const auto& plan : plans) {
    if (!plan.logs) continue;
    if (plan.logs->create_group && !logs.has_group(task.scope, plan.logs->group)) {
      allow_logs(engine, task, definition, "logs:CreateLogGroup", plan.logs->group, "group");
      logs.create_group(task.scope, plan.logs->group, now_ms());
    }
    allow_logs(engine, task, definition, "logs:CreateLogStream", plan.logs->group, "stream");
    if (!logs.has_group(task.scope, plan.logs->group)) {
      throw CannotStart{
          "ResourceInitializationError: failed to validate logger args: create stream has been "
          "retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: "
          "The specified log group does not exist. : exit status 1"};
    }
    logs.create_stream(task.scope, plan.logs->group, plan.logs->stream, now_ms());
  }
}

}  // namespace slipway::cloud::ecs
