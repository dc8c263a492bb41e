// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/task_setup.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecs/task_endpoint.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"
#include "cloud/logs/log_store.hpp"
#include "cloud/s3/store.hpp"
#include "cloud/secrets/value_from.hpp"
#include "os/fd.hpp"
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
    for (const auto& secret : item.get_array("secrets")) {
      auto value = secrets::resolve_value_from(secret.get_string("valueFrom"), role, task.scope,
                                               around.state, around.authoriser, formats::now());
      if (const auto* none = std::get_if<secrets::NoValue>(&value)) throw CannotStart{none->reason};
      out[item.get_string("name")][secret.get_string("name")] = std::get<std::string>(value);
    }
  }
  return out;
}

std::map<std::string, std::string> parse_environment_file(std::string_view text) {
  std::map<std::string, std::string> out;
  for (auto line : lines_of(text)) {
    if (trim(line).empty() || trim(line).starts_with('#')) continue;
    auto equals = line.find('=');
    if (equals == std::string_view::npos || trim(line.substr(0, equals)).empty()) continue;
    out[std::string(trim(line.substr(0, equals)))] = std::string(line.substr(equals + 1));
  }
  return out;
}

// source  ECS developer guide, "Pass environment variables to an Amazon ECS container": earlier files win, environment wins over all
std::map<std::string, std::map<std::string, std::string>> read_environment_files(
    Engine& engine, const Task& task, const Json& definition) {
  std::map<std::string, std::map<std::string, std::string>> out;
  std::string role = definition.get_string("executionRoleArn");
  for (const auto& item : definition.get_array("containerDefinitions")) {
    for (const auto& file : item.get_array("environmentFiles")) {
      std::string name = file.get_string("value");  // arn:aws:s3:::BUCKET/KEY.env
      auto fails = [&](const std::string& why) {
        throw CannotStart{
            fmt::format("ResourceInitializationError: failed to download env files: file download "
                        "command: non empty error stream: {}: {}",
                        name, why)};
      };
      auto arn = parse_arn(name);
      auto slash = arn ? arn->resource.find('/') : std::string::npos;
      if (!arn || arn->service != "s3" || slash == std::string::npos) fails("invalid ARN");
      if (!name.ends_with(".env")) fails("the file must have the extension .env");
      auto decision =
          engine.around().authoriser.decide_for_role(role, "s3:GetObject", name, task.scope.region);
      if (!decision.is_allowed) fails("AccessDenied: Access Denied status code: 403");
      auto& store = engine.around().objects;
      auto object = store.find(arn->resource.substr(0, slash), arn->resource.substr(slash + 1));
      if (!object) fails("NoSuchKey: The specified key does not exist. status code: 404");
      auto fd = store.open(*object);
      out[item.get_string("name")].merge(parse_environment_file(os::read_all(fd.get())));
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
                         const std::string& address, const std::string& aliases) {
  os::make_dirs(directory);
  const auto& gateway = engine.around().options.gateway;
  os::replace_file(
      directory / "resolv.conf",
      gateway.empty() ? "" : fmt::format("nameserver {}\noptions timeout:2 attempts:3\n", gateway));
  os::replace_file(
      directory / "hosts",
      fmt::format("127.0.0.1 localhost\n::1 localhost\n{} ip-{}.ec2.internal ip-{}\n{}", address,
                  replace_all(address, ".", "-"), replace_all(address, ".", "-"), aliases));
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
