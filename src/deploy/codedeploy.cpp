// SPDX-License-Identifier: Apache-2.0
#include "deploy/codedeploy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "deploy/once.hpp"
#include "deploy/task_definition.hpp"
#include "formats/sha256.hpp"
#include "formats/yaml.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;
using std::chrono::milliseconds;

constexpr milliseconds kShortestLook{250};
constexpr milliseconds kLongestLook{5000};
constexpr std::size_t kMostDescription = 512;
constexpr auto kClockSkew = std::chrono::minutes(2);  // between this machine and the cloud

std::string application_of(const CodeDeployRelease& release) {
  return release.application.empty() ? fmt::format("AppECS-{}-{}", release.cluster, release.service)
                                     : release.application;
}

std::string group_of(const CodeDeployRelease& release) {
  return release.group.empty() ? fmt::format("DgpECS-{}-{}", release.cluster, release.service)
                               : release.group;
}

// The AppSpec's text; older deployments have it as "string".
std::string content_of(const Json& revision) {
  for (const char* key : {"appSpecContent", "string"}) {
    if (const Json* held = revision.find(key)) return held->get_string("content");
  }
  return "";
}

// A member by its name in any case; CodeDeploy takes "Resources" and "resources".
Json& member(Json& json, std::string_view name, const std::string& file) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.as_object()) {
      if (equals_ignoring_case(key, name)) return json[key];
    }
  }
  fail(Fault::bad_input, "{}: AppSpec file must include property '{}'", file, name);
}

// An AppSpec that names no more than a container and its port.
std::string plain_app_spec(const Json& service) {
  Json properties = Json::object({{"TaskDefinition", ""}});
  const auto& balancers = service.get_array("loadBalancers");
  if (!balancers.empty()) {
    properties["LoadBalancerInfo"] =
        Json::object({{"ContainerName", balancers.front().get_string("containerName")},
                      {"ContainerPort", balancers.front().get_int("containerPort")}});
  }
  return Json::object({{"version", 1},
                       {"Resources",
                        Json::array({Json::object(
                            {{"TargetService", Json::object({{"Type", "AWS::ECS::Service"},
                                                             {"Properties", properties}})}})})}})
      .dump();
}

std::optional<Json> group_info(Calls& calls, const std::string& application,
                               const std::string& group, const std::stop_token& stop) {
  auto answer = calls.call(
      "codedeploy", "GetDeploymentGroup",
      Json::object({{"applicationName", application}, {"deploymentGroupName", group}}), stop);
  if (!answer.ok() && answer.error()->code.find("DoesNotExist") != std::string::npos)
    return std::nullopt;
  return answer.value().at("deploymentGroupInfo");
}

bool has_service(const Json& group, const std::string& cluster, const std::string& service) {
  const auto& services = group.get_array("ecsServices");
  return std::any_of(services.begin(), services.end(), [&](const Json& one) {
    return one.get_string("clusterName") == cluster && one.get_string("serviceName") == service;
  });
}

// All names that a listing operation gives, over its pages.
std::vector<std::string> names_of(Calls& calls, const char* operation, const char* key, Json input,
                                  const std::stop_token& stop) {
  std::vector<std::string> names;
  for (;;) {
    Json page = calls.call("codedeploy", operation, input, stop).value();
    for (const auto& name : page.get_array(key)) names.push_back(name.as_string());
    std::string next = page.get_string("nextToken");
    if (next.empty()) return names;
    input["nextToken"] = next;
  }
}

Json find_group(Calls& calls, const CodeDeployRelease& release, const std::stop_token& stop) {
  auto usual = group_info(calls, application_of(release), group_of(release), stop);
  if (usual && has_service(*usual, release.cluster, release.service)) return *usual;
  for (const auto& application :
       names_of(calls, "ListApplications", "applications", Json::object({}), stop)) {
    for (const auto& name : names_of(calls, "ListDeploymentGroups", "deploymentGroups",
                                     Json::object({{"applicationName", application}}), stop)) {
      auto group = group_info(calls, application, name, stop);
      if (group && has_service(*group, release.cluster, release.service)) return *group;
    }
  }
  fail(Fault::not_found,
       "service '{}' is deployed by CodeDeploy, but no deployment group has it: make one, '{}' of "
       "application '{}' is looked for first",
       release.service, group_of(release), application_of(release));
}

}  // namespace

bool is_by_codedeploy(const Json& service) {
  const Json* controller = service.find("deploymentController");
  return controller != nullptr && controller->get_string("type") == "CODE_DEPLOY";
}

std::string primary_task_set(const Json& service) {
  for (const auto& set : service.get_array("taskSets")) {
    if (set.get_string("status") == "PRIMARY") return set.get_string("taskDefinition");
  }
  return "";
}

CodeDeployRelease codedeploy_of(Calls& calls, const Json& service, const std::string& cluster,
                                const std::stop_token& stop) {
  CodeDeployRelease release{.cluster = last_part(cluster),
                            .service = service.get_string("serviceName")};
  Json group = find_group(calls, release, stop);
  release.application = group.get_string("applicationName");
  release.group = group.get_string("deploymentGroupName");
  release.app_spec = plain_app_spec(service);
  release.app_spec_file = "AppSpec of " + release.group;
  for (const char* key : {"lastSuccessfulDeployment", "lastAttemptedDeployment"}) {
    const Json* last = group.find(key);
    if (last == nullptr) continue;
    Json info = calls
                    .call("codedeploy", "GetDeployment",
                          Json::object({{"deploymentId", last->get_string("deploymentId")}}), stop)
                    .value()
                    .at("deploymentInfo");
    const Json* revision = info.find("revision");
    std::string content = revision == nullptr ? "" : content_of(*revision);
    if (content.empty()) continue;  // in S3: who deploys from there names its AppSpec
    release.app_spec = content;
    break;
  }
  return release;
}

bool stop_codedeploy(Calls& calls, const CodeDeployRelease& release, Deadline deadline,
                     const std::stop_token& stop) {
  Json query =
      Json::object({{"applicationName", application_of(release)},
                    {"deploymentGroupName", group_of(release)},
                    {"includeOnlyStatuses",
                     Json::array({"Created", "Queued", "InProgress", "Baking", "Ready"})}});
  bool has_stopped = false;
  Guarded<int> nothing;
  for (milliseconds rest = kShortestLook;; rest = std::min(rest * 2, kLongestLook)) {
    // What brings the old tasks back may be a deployment of its own: that is waited for.
    auto active = names_of(calls, "ListDeployments", "deployments", query, stop);
    if (active.empty()) return has_stopped;
    if (!has_stopped) {
      auto answer = calls.call(
          "codedeploy", "StopDeployment",
          Json::object({{"deploymentId", active.front()}, {"autoRollbackEnabled", true}}), stop);
      if (!answer.ok() && answer.error()->code != "DeploymentAlreadyCompletedException")
        (void)answer.value();  // throws its words
      has_stopped = true;
    }
    if (deadline.passed())
      fail(Fault::failed, "deployment {} has not stopped in time", active.front());
    nothing.wait(
        stop, Deadline::in(rest).sooner(deadline), [](int) { return false; }, [](int) {});
    if (stop.stop_requested()) throw Cancelled();
  }
}

std::string filled_app_spec(const CodeDeployRelease& release) {
  auto document = formats::parse_yaml(release.app_spec, release.app_spec_file);
  if (!document.ok()) fail(Fault::bad_input, "{}", to_string(document.diagnostics.front()));
  Json spec = formats::yaml_to_json(document.root, release.app_spec_file);
  Json& resources = member(spec, "resources", release.app_spec_file);
  if (!resources.is_array())
    fail(Fault::bad_input, "{}: 'resources' must be a list", release.app_spec_file);
  for (auto& resource : resources.as_array()) {
    if (!resource.is_object())
      fail(Fault::bad_input, "{}: each of 'resources' must be a map", release.app_spec_file);
    for (auto& [name, content] : resource.as_object()) {
      Json& properties = member(content, "properties", release.app_spec_file);
      member(properties, "taskDefinition", release.app_spec_file) = release.task_definition;
    }
  }
  return spec.dump();
}

std::string start_codedeploy(Calls& calls, const CodeDeployRelease& release,
                             const std::stop_token& stop) {
  std::string content = filled_app_spec(release);
  Json input = Json::object(
      {{"applicationName", application_of(release)},
       {"deploymentGroupName", group_of(release)},
       {"revision", Json::object({{"revisionType", "AppSpecContent"},
                                  {"appSpecContent",
                                   Json::object({{"content", content},
                                                 {"sha256", formats::sha256_hex(content)}})}})}});
  if (!release.config.empty()) input["deploymentConfigName"] = release.config;
  if (!release.description.empty())
    input["description"] = release.description.substr(0, kMostDescription);
  auto began = formats::now();
  return once(
      [&] {
        return calls.call("codedeploy", "CreateDeployment", input, stop)
            .value()
            .get_string("deploymentId");
      },
      [&] { return find_codedeploy(calls, release.task_definition, began, stop); });
}

// Neither application nor group is asked for: who looks after a crash does not know them. The revision of a release is in no
// other's AppSpec, unless it is deployed once more.
std::optional<std::string> find_codedeploy(Calls& calls, const std::string& task_definition,
                                           formats::Time since, const std::stop_token& stop) {
  Json range = Json::object({{"start", formats::epoch_seconds(since - kClockSkew)}});
  std::string next;
  do {
    Json input = Json::object({{"createTimeRange", range}});
    if (!next.empty()) input["nextToken"] = next;
    Json page = calls.call("codedeploy", "ListDeployments", input, stop).value();
    for (const auto& id : page.get_array("deployments")) {
      Json info = calls
                      .call("codedeploy", "GetDeployment",
                            Json::object({{"deploymentId", id.as_string()}}), stop)
                      .value()
                      .at("deploymentInfo");
      const Json* revision = info.find("revision");
      if (revision != nullptr &&
          content_of(*revision).find('"' + task_definition + '"') != std::string::npos)
        return id.as_string();
    }
    next = page.get_string("nextToken");
  } while (!next.empty());
  return std::nullopt;
}

std::chrono::minutes waits_of_group(Calls& calls, const CodeDeployRelease& release,
                                    const std::stop_token& stop) {
  Json group = calls
                   .call("codedeploy", "GetDeploymentGroup",
                         Json::object({{"applicationName", application_of(release)},
                                       {"deploymentGroupName", group_of(release)}}),
                         stop)
                   .value()
                   .at("deploymentGroupInfo");
  auto minutes = [&](const char* part, const char* key) {
    const Json* blue_green = group.find("blueGreenDeploymentConfiguration");
    const Json* option = blue_green ? blue_green->find(part) : nullptr;
    return std::chrono::minutes(option ? option->get_int(key) : 0);
  };
  return minutes("deploymentReadyOption", "waitTimeInMinutes") +
         minutes("terminateBlueInstancesOnDeploymentSuccess", "terminationWaitTimeInMinutes");
}

Verdict watch_codedeploy(Calls& calls, const CodeDeployRelease& release, const std::string& id,
                         Deadline deadline, const std::function<void(const std::string&)>& sink,
                         const std::stop_token& stop) {
  auto began = Deadline::Clock::now();
  Verdict verdict;
  std::string last;
  Guarded<int> nothing;
  for (milliseconds rest = kShortestLook;; rest = std::min(rest * 2, kLongestLook)) {
    Json info =
        calls.call("codedeploy", "GetDeployment", Json::object({{"deploymentId", id}}), stop)
            .value()
            .at("deploymentInfo");
    std::string status = info.get_string("status");
    if (status != last) {
      sink(fmt::format("deployment {}: {}", id, status));
      rest = kShortestLook;
    }
    last = status;
    verdict.took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - began);
    if (status == "Succeeded") {
      verdict.outcome = ledger::Verdict::succeeded;
      return verdict;
    }
    if (status == "Failed" || status == "Stopped") {
      const Json* error = info.find("errorInformation");
      bool came_back = info.contains("rollbackInfo");
      verdict.outcome = came_back ? ledger::Verdict::rolled_back : ledger::Verdict::failed;
      if (error != nullptr) verdict.note = error->get_string("message");
      verdict.causes =
          find_causes(calls, release.cluster, release.service, "", release.task_definition, stop);
      return verdict;
    }
    if (deadline.passed()) {
      verdict.note = fmt::format("deployment {} is still {}", id, status);
      return verdict;
    }
    nothing.wait(
        stop, Deadline::in(rest).sooner(deadline), [](int) { return false; }, [](int) {});
    if (stop.stop_requested()) throw Cancelled();
  }
}

}  // namespace slipway::deploy
