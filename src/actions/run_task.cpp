// SPDX-License-Identifier: Apache-2.0
#include "actions/run_task.hpp"

#include <array>
#include <condition_variable>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/verdict.hpp"
#include "formats/json.hpp"

namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

Json words(const std::string& text) {
  Json list = Json::array();
  for (const auto& word : split(text, ',')) {
    if (!trim(word).empty()) list.push_back(trim(word));
  }
  return list;
}

// The official action hands on these members of the volume, and no others; throughput only with gp3.
constexpr std::array kVolumeMembers = {
    "roleArn",   "encrypted",  "filesystemType",    "iops",       "kmsKeyId",
    "sizeInGiB", "snapshotId", "tagSpecifications", "throughput", "volumeType"};

Json input_of(ActionContext& context, const std::string& task_definition) {
  std::string cluster = context.text("cluster");
  Json input = Json::object(
      {{"cluster", cluster.empty() ? "default" : cluster},
       {"taskDefinition", task_definition},
       {"startedBy", context.text("run-task-started-by")},
       {"clientToken", uuid()},
       {"overrides",
        Json::object({{"containerOverrides",
                       formats::parse_json(context.text("run-task-container-overrides"),
                                           "run-task-container-overrides")}})}});
  auto tags = formats::parse_json(context.text("run-task-tags"), "run-task-tags");
  if (!tags.empty()) input["tags"] = tags;
  if (auto strategy = context.text("run-task-capacity-provider-strategy"); !strategy.empty()) {
    input["capacityProviderStrategy"] =
        formats::parse_json(strategy, "run-task-capacity-provider-strategy");
  } else {
    input["launchType"] = context.text("run-task-launch-type");
  }
  Json network = Json::object();
  if (auto subnets = words(context.text("run-task-subnets")); !subnets.empty())
    network["subnets"] = subnets;
  if (auto groups = words(context.text("run-task-security-groups")); !groups.empty())
    network["securityGroups"] = groups;
  if (!network.empty()) {
    network["assignPublicIp"] = context.text("run-task-assign-public-IP");
    input["networkConfiguration"] = Json::object({{"awsvpcConfiguration", network}});
  }
  if (auto volumes = managed_ebs_volumes(context, "run-task-managed-ebs-volume"); !volumes.empty())
    input["volumeConfigurations"] = volumes;
  if (equals_ignoring_case(context.text("enable-ecs-managed-tags"), "true"))
    input["enableECSManagedTags"] = true;
  return input;
}

bool all_stopped(const Json::Array& tasks) {
  return !tasks.empty() && std::all_of(tasks.begin(), tasks.end(), [](const Json& task) {
    return task.get_string("lastStatus") == "STOPPED";
  });
}

Json::Array wait_stopped(ActionContext& context, deploy::Calls& calls, const Json& query) {
  auto minutes = to_integer(trim(context.text("wait-for-minutes"))).value_or(30);
  Deadline deadline = Deadline::in(std::chrono::minutes(std::min<long long>(minutes, 360)));
  std::mutex mutex;
  std::condition_variable_any never;
  std::chrono::milliseconds pause{100};
  for (;;) {
    auto tasks =
        calls.call("ecs", "DescribeTasks", query, context.stop()).value().get_array("tasks");
    if (all_stopped(tasks)) return tasks;
    if (deadline.passed()) fail(Fault::failed, "the task did not stop within {} minutes", minutes);
    std::unique_lock lock(mutex);
    auto stop = context.stop();
    never.wait_for(lock, stop, pause, [] { return false; });
    if (stop.stop_requested()) throw Cancelled();
    pause = std::min<std::chrono::milliseconds>(pause * 5 / 4, std::chrono::seconds(1));
  }
}

// Every container must have ended with 0; one that never ran ended with nothing.
void judge(const Json& task) {
  for (const auto& container : task.get_array("containers")) {
    if (container.contains("exitCode") && container.get_int("exitCode") == 0) continue;
    auto cause = deploy::cause_of(task);
    std::string name = container.get_string("name");
    if (cause && cause->kind != deploy::Cause::Kind::unknown &&
        (cause->container == name || cause->container.empty() || !container.contains("exitCode"))) {
      fail(Fault::failed, "Run task failed: {}",
           deploy::to_line({.outcome = ledger::Verdict::failed, .causes = {*cause}}));
    }
    fail(Fault::failed, "Run task failed: container '{}' {}: {}", name,
         container.contains("exitCode")
             ? fmt::format("exited with code {}", container.get_int("exitCode"))
             : "never ran",
         container.get_string("reason", task.get_string("stoppedReason", "no reason is known")));
  }
}

}  // namespace

Json managed_ebs_volumes(ActionContext& context, const std::string& input) {
  std::string name = context.text(input + "-name");
  std::string text(trim(context.text(input)));
  if (name.empty()) return Json::array();
  if (text.empty() || text == "{}") {
    context.warning(fmt::format(
        "{0}-name provided without {0} value. VolumeConfigurations property will not be included "
        "in the {1} API call",
        input, input.starts_with("run-task") ? "RunTask" : "UpdateService"));
    return Json::array();
  }
  Json given = formats::parse_json(text, input);
  if (!given.is_object()) fail(Fault::bad_input, "{} must be a JSON object", input);
  if (!given.contains("roleArn"))
    fail(Fault::bad_input,
         "managed-ebs-volume must provide \"role-arn\" to associate with the EBS volume");
  Json volume = Json::object();
  for (const char* member : kVolumeMembers) {
    bool is_kept =
        std::string_view(member) != "throughput" || given.get_string("volumeType") == "gp3";
    if (const Json* value = given.find(member); value && is_kept) volume[member] = *value;
  }
  return Json::array({Json::object({{"name", name}, {"managedEBSVolume", volume}})});
}

void run_task(ActionContext& context, deploy::Calls& calls, const std::string& task_definition) {
  Json input = input_of(context, task_definition);
  Json answer = calls.call("ecs", "RunTask", input, context.stop()).value();
  if (const auto& failures = answer.get_array("failures"); !failures.empty()) {
    fail(Fault::failed, "{} is {}", failures.front().get_string("arn"),
         failures.front().get_string("reason"));
  }
  Json arns = Json::array();
  for (const auto& task : answer.get_array("tasks")) arns.push_back(task.at("taskArn"));
  context.set_output("run-task-arn", arns.dump());
  context.log("Task running: " + arns.dump());
  if (!equals_ignoring_case(context.text("wait-for-task-stopped"), "true")) return;
  for (const auto& task : wait_stopped(
           context, calls, Json::object({{"cluster", input.at("cluster")}, {"tasks", arns}})))
    judge(task);
  context.log("Task has stopped, every container with exit code 0");
}

}  // namespace slipway::actions
