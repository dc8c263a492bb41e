// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/verbs.hpp"
#include "deploy/rollback.hpp"
#include "deploy/task_definition.hpp"
#include "deploy/verdict.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

std::string user_name() {
  for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
    if (value && *value) return value;
  }
  return "unknown";
}

// Nobody to ask counts as yes only with --yes.
bool is_confirmed(const Invocation& given, const std::vector<deploy::RollbackStep>& plan) {
  if (given.has("--yes") || ::isatty(STDIN_FILENO) == 0) return true;
  for (const auto& step : plan) {
    print_error(fmt::format("{}: {} → {} ({})\n", step.from.service, deploy::brief_task_definition(step.from.task_definition),
                            deploy::brief_task_definition(step.to.task_definition), step.to.sha.substr(0, 12)));
  }
  print_error("roll back? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

int rollback(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  ledger::Ledger ledger(around.state / "ledger.db");
  auto plan = deploy::plan_rollback(ledger, environment, given.arguments.size() > 1 ? given.arguments[1] : "");
  if (plan.empty()) {
    print(around.json ? "[]\n" : fmt::format("{} is there already\n", environment));
    return 0;
  }
  if (!is_confirmed(given, plan)) return 130;
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  auto sink = [&](const std::string& service, const deploy::RolloutEvent& event) {
    if (!around.quiet) print_error(fmt::format("{}: {}\n", service, event.text));
  };
  auto results = deploy::roll_back(calls, ledger, plan, user_name(), {}, sink, around.stop);
  bool ok = true;
  Json all = Json::array();
  std::string text;
  for (const auto& result : results) {
    ok = ok && result.verdict.ok();
    all.push_back(Json::object({{"service", result.step.from.service}, {"sha", result.step.to.sha},
                                {"taskDefinition", result.step.to.task_definition}, {"verdict", to_json(result.verdict)},
                                {"acceptedAfterMs", result.accepted_after.count()}, {"tookMs", result.verdict.took.count()}}));
    text += fmt::format("{}: {} ({}) {} in {:.1f} s, accepted after {} ms\n", result.step.from.service,
                        deploy::brief_task_definition(result.step.to.task_definition), result.step.to.sha.substr(0, 12),
                        result.verdict.ok() ? "runs again" : to_line(result.verdict),
                        static_cast<double>(result.verdict.took.count()) / 1000.0, result.accepted_after.count());
  }
  print(around.json ? all.dump() + "\n" : text);
  return ok ? 0 : 1;
}

}  // namespace

Verb rollback_verb() {
  return {.name = "rollback",
          .usage = "ENV [SHA|REVISION] [--yes]",
          .summary = "back to the last good release, or to a named one",
          .options = {{"--yes", Option::Kind::flag, "", "do not ask"}},
          .min_arguments = 1,
          .max_arguments = 2,
          .run = rollback};
}

}  // namespace slipway::cli
