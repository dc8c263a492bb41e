// SPDX-License-Identifier: Apache-2.0
#include "deploy/codedeploy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "deploy/once.hpp"
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

}  // namespace

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
