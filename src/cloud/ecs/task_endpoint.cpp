// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/task_endpoint.hpp"

#include <arpa/inet.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/ecs/task_definition.hpp"
#include "cloud/input.hpp"
#include "cloud/sts/sessions.hpp"
#include "container/netlink.hpp"
#include "container/network.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr const char* kAddress = "169.254.170.2";
constexpr std::chrono::hours kCredentialsLast{6};

// What only this task's containers are told: nobody else reaches the address in its namespace.
std::string credentials_path(const Task& task) {
  std::string digits = formats::sha256_hex("credentials of " + task.id);
  return fmt::format("/v2/credentials/{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4),
                     digits.substr(12, 4), digits.substr(16, 4), digits.substr(20, 12));
}

std::string metadata_path(const Task& task, const TaskContainer& container) {
  return fmt::format("{}-{}", task.id,
                     std::stoul(formats::sha256_hex(container.id).substr(0, 8), nullptr, 16));
}

std::string time_text(std::int64_t millis) {
  return formats::iso8601_millis(Time(std::chrono::milliseconds(millis)));
}

Json limits_json(const Task& task, const TaskContainer& container) {
  auto memory = to_integer(container.memory.empty() ? task.memory : container.memory);
  return Json::object(
      {{"CPU", to_integer(container.cpu).value_or(0)}, {"Memory", memory.value_or(0)}});
}

os::Fd listen_inside(const std::filesystem::path& netns) {
  os::Fd socket;
  container::in_namespace(netns, [&] {
    container::Netlink().add_address("lo", ::inet_addr(kAddress), 32);
    socket = net::listen_tcp(std::string(kAddress) + ":80");
  });
  return socket;
}

}  // namespace

std::map<std::string, std::string> endpoint_environment(const Task& task,
                                                        const TaskContainer& container,
                                                        const Json& definition) {
  std::string id = metadata_path(task, container);
  std::map<std::string, std::string> env = {
      {"ECS_CONTAINER_METADATA_URI_V4", fmt::format("http://{}/v4/{}", kAddress, id)},
      {"ECS_CONTAINER_METADATA_URI", fmt::format("http://{}/v3/{}", kAddress, id)},
      {"ECS_AGENT_URI", fmt::format("http://{}/api/{}", kAddress, id)}};
  if (!definition.get_string("taskRoleArn").empty())
    env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = credentials_path(task);
  return env;
}

TaskEndpoint::TaskEndpoint(Engine& engine, std::string key, Json definition,
                           const std::filesystem::path& netns)
    : engine_(engine), key_(std::move(key)), definition_(std::move(definition)) {
  std::vector<net::Listener> listeners;
  listeners.push_back({.socket = listen_inside(netns), .name = "task", .tls = nullptr});
  server_ = std::make_unique<net::HttpServer>(
      std::move(listeners),
      [this](net::ServerRequest& request, net::ResponseWriter& response) {
        handle(request, response);
      },
      engine_.around().log, net::HttpServerOptions{.grace = std::chrono::milliseconds(100)});
}

void TaskEndpoint::handle(const net::ServerRequest& request, net::ResponseWriter& response) {
  Task task = engine_.read([&](const World& world) { return world.tasks.at(key_); });
  auto answer = [&](const Json& json) {
    response.send(net::text_response(200, json.dump(), "application/json"));
  };
  if (request.path == credentials_path(task) && !definition_.get_string("taskRoleArn").empty())
    return answer(credentials(task));
  for (const auto& container : task.containers) {
    std::string rest = request.path.substr(std::min<std::size_t>(request.path.size(), 4));
    if (!request.path.starts_with("/v4/") && !request.path.starts_with("/v3/")) break;
    std::string id = metadata_path(task, container);
    if (rest == id) return answer(container_json(task, container));
    if (rest == id + "/task" || rest == id + "/taskWithTags") return answer(task_json(task));
    if (rest == id + "/stats" || rest == id + "/task/stats")
      return answer(Json::object());  // nothing is measured
  }
  response.send(net::text_response(
      404,
      "{\"code\":\"InvalidIdInRequest\",\"message\":\"unknown path or id\",\"HTTPErrorCode\":404}",
      "application/json"));
}

Json TaskEndpoint::container_json(const Task& task, const TaskContainer& container) const {
  std::string family = definition_.get_string("family");
  Json out = Json::object(
      {{"DockerId", container.runtime_id.empty() ? container.id : container.runtime_id},
       {"Name", container.name},
       {"DockerName", container.name},
       {"Image", container.image},
       {"ImageID", container.image_digest},
       {"Labels",
        Json::object({{"com.amazonaws.ecs.cluster", cluster_arn(task.scope, task.cluster)},
                      {"com.amazonaws.ecs.container-name", container.name},
                      {"com.amazonaws.ecs.task-arn", task_arn(task)},
                      {"com.amazonaws.ecs.task-definition-family", family},
                      {"com.amazonaws.ecs.task-definition-version",
                       std::to_string(definition_.get_int("revision"))}})},
       {"DesiredStatus", task.desired_status},
       {"KnownStatus", container.status},
       {"Limits", limits_json(task, container)},
       {"CreatedAt", time_text(task.created)},
       {"Type", "NORMAL"},
       {"ContainerARN",
        arn("ecs", task.scope.region, task.scope.account,
            fmt::format("container/{}/{}/{}", task.cluster, task.id, container.id))}});
  if (task.started > 0) out["StartedAt"] = time_text(task.started);
  if (container.exit_code) out["ExitCode"] = *container.exit_code;
  if (container.has_health_check) out["Health"] = Json::object({{"status", container.health}});
  for (const auto& item : definition_.get_array("containerDefinitions")) {
    const Json* log = item.find("logConfiguration");
    if (item.get_string("name") != container.name || !log) continue;
    out["LogDriver"] = log->get_string("logDriver");
    if (const Json* options = log->find("options")) out["LogOptions"] = *options;
  }
  out["Networks"] = Json::array({Json::object(
      {{"NetworkMode", "awsvpc"},
       {"IPv4Addresses", Json::array({task.address})},
       {"AttachmentIndex", 0},
       {"MACAddress", task.mac},
       {"IPv4SubnetCIDRBlock", task.address.substr(0, task.address.rfind('.')) + ".0/24"},
       {"PrivateDNSName", fmt::format("ip-{}.ec2.internal", replace_all(task.address, ".", "-"))},
       {"SubnetGatewayIpv4Address", task.address.substr(0, task.address.rfind('.')) + ".1/24"}})});
  out["Snapshotter"] = "overlayfs";
  return out;
}

Json TaskEndpoint::task_json(const Task& task) const {
  Json out = Json::object(
      {{"Cluster", cluster_arn(task.scope, task.cluster)},
       {"TaskARN", task_arn(task)},
       {"Family", definition_.get_string("family")},
       {"Revision", std::to_string(definition_.get_int("revision"))},
       {"DesiredStatus", task.desired_status},
       {"KnownStatus", task.last_status},
       {"AvailabilityZone", task.scope.region + "a"},
       {"LaunchType", "FARGATE"},
       {"Limits",
        Json::object({{"CPU", static_cast<double>(std::max(cpu_units(task.cpu), 0)) / 1024.0},
                      {"Memory", std::max(memory_mib(task.memory), 0)}})},
       {"ClockDrift", Json::object({{"ClockErrorBound", 0.5},
                                    {"ReferenceTimestamp", time_text(now_ms())},
                                    {"ClockSynchronizationStatus", "SYNCHRONIZED"}})}});
  if (!task.service.empty()) out["ServiceName"] = task.service;
  if (task.pull_started > 0) out["PullStartedAt"] = time_text(task.pull_started);
  if (task.pull_stopped > 0) out["PullStoppedAt"] = time_text(task.pull_stopped);
  out["Containers"] = Json::array();
  for (const auto& container : task.containers)
    out["Containers"].push_back(container_json(task, container));
  return out;
}

Json TaskEndpoint::credentials(const Task& task) const {
  std::string role = definition_.get_string("taskRoleArn");
  auto now = formats::now();
  auto keys = engine_.around().sessions.assume({.role_arn = role,
                                                .session_name = task.id,
                                                .duration = kCredentialsLast,
                                                .session_policy = "",
                                                .session_policy_arns = {}},
                                               now);
  return Json::object({{"RoleArn", role},
                       {"AccessKeyId", keys.access_key_id},
                       {"SecretAccessKey", keys.secret_access_key},
                       {"Token", keys.session_token},
                       {"Expiration", formats::iso8601(keys.expiration)}});
}

}  // namespace slipway::cloud::ecs
