// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/ecs/container_plan.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::string_view kChannel = "/v1/data-channel/";

// What the agent in the container calls as the task's role. source ECS developer guide, "ECS Exec", task IAM role
bool may_hold_session(const iam::Authoriser& authoriser, const std::string& role,
                      const std::string& region) {
  if (role.empty()) return false;
  for (const char* action :
       {"CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"}) {
    if (!authoriser.decide_for_role(role, std::string("ssmmessages:") + action, "*", region)
             .is_allowed)
      return false;
  }
  return true;
}

const TaskContainer& wanted_container(const Task& task, const std::string& name) {
  if (name.empty() && task.containers.size() != 1) {
    refuse("InvalidParameterException",
           "The container name must be specified when the task has more than one container.");
  }
  auto found =
      std::find_if(task.containers.begin(), task.containers.end(),
                   [&](const TaskContainer& one) { return name.empty() || one.name == name; });
  if (found == task.containers.end())
    refuse("InvalidParameterException",
           fmt::format("The container with name {} does not exist in the task.", name));
  return *found;
}

// Where the caller finds the channel: beside the name by which it found us.
std::string stream_url(const Call& call, const std::string& session) {
  bool is_aws_name = call.host.find("amazonaws.com") != std::string::npos ||
                     call.host.find(".on.aws") != std::string::npos;
  std::string host =
      is_aws_name ? fmt::format("ssmmessages.{}.amazonaws.com", call.region) : call.host;
  return fmt::format("{}://{}{}{}?role=publish_subscribe", call.is_secure ? "wss" : "ws", host,
                     kChannel, session);
}

}  // namespace

void Ecs::check_can_execute(bool wants_it, const Json& definition, const char* what) {
  if (!wants_it || !definition.get_string("taskRoleArn").empty()) return;
  refuse("InvalidParameterException",
         fmt::format("The {} because a valid taskRoleArn is not being used. Specify a valid task "
                     "role in your task definition and try again.",
                     what));
}

Json Ecs::execute_command(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string cluster = existing_cluster(call);
  std::string key = full_key(scope_of(call), cluster + "/" + last_part(in.text("task")));
  if (!in.boolean_or("interactive", false))
    refuse("InvalidParameterException", "Interactive is the only mode supported currently.");
  auto words = split_command(in.text("command"));
  if (!words || words->empty()) refuse("InvalidParameterException", "The command is not valid.");
  auto task = engine_.read([&](const World& world) -> std::optional<Task> {
    auto it = world.tasks.find(key);
    return it == world.tasks.end() ? std::nullopt : std::optional(it->second);
  });
  if (!task) refuse("InvalidParameterException", "The referenced task was not found.");
  if (!task->can_execute) {
    refuse("InvalidParameterException",
           "The execute command failed because execute command was not enabled when the task was "
           "run or the execute command agent isn\u2019t running. Wait and try again or "
           "run a new task with execute command enabled and try again.");
  }
  const TaskContainer& container = wanted_container(*task, in.text_or("container"));
  auto definition = engine_.task_definition(task->scope, task->task_definition_arn);
  std::string role = definition ? definition->get_string("taskRoleArn") : std::string();
  if (const Json* other = task->overrides.find("taskRoleArn")) role = other->as_string();
  bool is_connected = container.status == "RUNNING" && !container.runtime_id.empty() &&
                      !task->is_stopping() && engine_.around().options.runtime != nullptr &&
                      may_hold_session(engine_.around().authoriser, role, call.region);
  if (!is_connected)
    refuse("TargetNotConnectedException",
           "The execute command failed due to an internal error. Try again later.");
  auto order = sessions_.open({.session = "",
                               .token = "",
                               .runtime_id = container.runtime_id,
                               .argv = *words,
                               .who = call.caller.arn});
  return Json::object(
      {{"clusterArn", cluster_arn(task->scope, cluster)},
       {"taskArn", task_arn(*task)},
       {"containerArn", arn("ecs", task->scope.region, task->scope.account,
                            fmt::format("container/{}/{}/{}", cluster, task->id, container.id))},
       {"containerName", container.name},
       {"interactive", true},
       {"session", Json::object({{"sessionId", order.session},
                                 {"streamUrl", stream_url(call, order.session)},
                                 {"tokenValue", order.token}})}});
}

bool Ecs::open_channel(net::ServerRequest& request, net::ResponseWriter& response) {
  if (!request.path.starts_with(kChannel)) return false;
  auto order = sessions_.take(request.path.substr(kChannel.size()));
  if (!order) fail(Fault::not_found, "no such session");
  auto socket = net::accept_websocket(request, response);
  serve_exec(*socket, *order, *engine_.around().options.runtime, engine_.around().log,
             request.stop);
  return true;
}

}  // namespace slipway::cloud::ecs
