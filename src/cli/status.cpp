// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
#include "cli/aws_access.hpp"
#include "cli/verbs.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

Json live_state(aws::Client& client, const ledger::Release& release, const std::stop_token& stop) {
  Json out = Json::object({{"service", release.service},
                           {"cluster", release.cluster},
                           {"sha", release.sha},
                           {"taskDefinition", release.task_definition},
                           {"verdict", name_of(release.verdict)},
                           {"started", formats::iso8601(release.started)}});
  if (!release.reason.empty()) out["reason"] = release.reason;
  auto answer = client.call(
      "ecs", "DescribeServices",
      Json::object({{"cluster", release.cluster}, {"services", Json::array({release.service})}}),
      stop);
  if (!answer.ok() || answer.value().get_array("services").empty()) {
    out["state"] = "missing";
    return out;
  }
  const Json& service = answer.value().get_array("services").front();
  out["running"] = service.get_int("runningCount");
  out["desired"] = service.get_int("desiredCount");
  out["runs"] = service.get_string("taskDefinition");
  const auto& deployments = service.get_array("deployments");
  bool steady =
      deployments.size() == 1 && service.get_int("runningCount") == service.get_int("desiredCount");
  std::string rollout = deployments.empty() ? "" : deployments.front().get_string("rolloutState");
  out["state"] = steady && rollout == "COMPLETED" ? "steady"
                 : rollout == "FAILED"            ? "failed"
                                                  : "changing";
  return out;
}

int status(const Invocation& given, Surroundings& around) {
  ledger::Ledger ledger(around.state / "ledger.db");
  auto environments = ledger.environments();
  if (!given.arguments.empty()) {
    if (std::find(environments.begin(), environments.end(), given.arguments[0]) ==
        environments.end()) {
      fail(Fault::not_found, "nothing was ever deployed to '{}'", given.arguments[0]);
    }
    environments = {given.arguments[0]};
  }
  if (environments.empty()) {
    print(around.json ? "[]\n" : "nothing was deployed yet\n");
    return 0;
  }
  aws::Client client(aws_access(around.state));
  Json all = Json::array();
  std::string text;
  bool is_well = true;
  for (const auto& environment : environments) {
    for (const auto& service : ledger.services(environment)) {
      auto release = ledger.current(environment, service);
      if (!release) release = ledger.latest(environment, service);
      if (!release) continue;
      Json item = live_state(client, *release, around.stop);
      item["environment"] = environment;
      if (auto pause = ledger.paused(environment)) item["pausedSince"] = pause->at;
      is_well = is_well && item.get_string("state") == "steady";
      text += fmt::format(
          "{:<12} {:<12} {:<9} {}/{} tasks  {}  {}\n", environment, service,
          item.get_string("state"), item.get_int("running"), item.get_int("desired"),
          release->sha.substr(0, 12),
          item.get_string("runs").substr(item.get_string("runs").find_last_of('/') + 1));
      all.push_back(std::move(item));
    }
    if (auto pause = ledger.paused(environment)) {
      text += fmt::format(
          "{:<12} automatic deployments are paused since {} by {} ({}): slipway resume {}\n",
          environment, pause->at, pause->who, pause->reason, environment);
    }
  }
  print(around.json ? all.dump() + "\n" : text);
  return is_well ? 0 : 1;
}

int history(const Invocation& given, Surroundings& around) {
  ledger::Ledger ledger(around.state / "ledger.db");
  std::string environment = given.arguments.empty() ? "" : given.arguments[0];
  Json all = Json::array();
  for (const auto& release : ledger.history(environment)) {
    if (around.json) {
      all.push_back(to_json(release));
      continue;
    }
    print(fmt::format(
        "{}  {:<11} {:<10} {:<9} {:<12} {:<26} {}\n", formats::iso8601(release.started),
        release.environment, release.service, release.cause, release.sha.substr(0, 12),
        release.task_definition.substr(release.task_definition.find_last_of('/') + 1),
        release.reason.empty() ? std::string(name_of(release.verdict))
                               : fmt::format("{}: {}", name_of(release.verdict), release.reason)));
  }
  if (around.json) print(all.dump() + "\n");
  return 0;
}

}  // namespace

Verb status_verb() {
  return {.name = "status",
          .usage = "[ENV]",
          .summary = "what runs where",
          .max_arguments = 1,
          .run = status};
}

Verb history_verb() {
  return {.name = "history",
          .usage = "[ENV]",
          .summary = "what ran where, newest first",
          .max_arguments = 1,
          .run = history};
}

}  // namespace slipway::cli
