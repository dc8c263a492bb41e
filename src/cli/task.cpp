// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/verbs.hpp"
#include "deploy/one_off.hpp"
#include "deploy/task_definition.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// The service beside which it runs: the one named, else the one that migrations are set for, else the only one, else the first.
ledger::Release beside(const ledger::Ledger& ledger, const std::string& environment,
                       const std::string& wanted) {
  auto services = ledger.services(environment);
  for (const auto& service : services) {
    if (!wanted.empty() && service != wanted) continue;
    auto release = ledger.current(environment, service);
    if (!release) release = ledger.latest(environment, service);
    if (release) return *release;
  }
  if (services.empty()) fail(Fault::not_found, "nothing was ever deployed to '{}'", environment);
  fail(Fault::not_found, "no service '{}' was deployed to '{}'", wanted, environment);
}

int task(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  if (given.rest.empty())
    fail(Fault::bad_input, "say what to run: slipway task {} -- CMD", environment);
  auto timeout = deploy::parse_span(given.value_or("--timeout", "30m"));
  if (!timeout) fail(Fault::bad_input, "--timeout takes a time such as 90s, 10m or 1h");
  ledger::Ledger ledger(around.state / "ledger.db");
  auto release = beside(ledger, environment, given.value_or("--service", ""));
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  deploy::OneOff what{.cluster = release.cluster,
                      .service = release.service,
                      .task_definition = "",
                      .container = given.value_or("--container", ""),
                      .command = given.rest,
                      .started_by = "slipway-task"};
  auto log = [&](const std::string& line) {
    if (around.json) {
      if (!around.quiet) print_error(line + "\n");
    } else {
      print(line + "\n");
    }
  };
  auto result = deploy::run_one_off(calls, what, Deadline::in(*timeout), log, around.stop);
  Json words = Json::array();
  for (const auto& word : given.rest) words.push_back(word);
  ledger.append("task", Json::object({{"environment", environment},
                                      {"service", release.service},
                                      {"task", result.task},
                                      {"command", words},
                                      {"exitCode", result.exit_code},
                                      {"who", user_name()}}));
  if (around.json) {
    print(Json::object({{"task", result.task},
                        {"container", result.container},
                        {"exitCode", result.exit_code},
                        {"reason", result.reason}})
              .dump() +
          "\n");
  } else if (!result.ok()) {
    print_error(
        fmt::format("slipway: task {}: {}\n", deploy::last_part(result.task), result.reason));
  }
  return result.ok() ? 0 : 1;
}

}  // namespace

Verb task_verb() {
  return {.name = "task",
          .usage = "ENV [--service NAME] [--container NAME] [--timeout D] -- CMD",
          .summary = "a task that runs once, with the service's own task definition",
          .options = {{"--service", Option::Kind::value, "NAME",
                       "beside which it runs; default: the first that was deployed"},
                      {"--container", Option::Kind::value, "NAME",
                       "whose command CMD replaces; default: the first essential one"},
                      {"--timeout", Option::Kind::value, "D", "default 30m; then it is stopped"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = task};
}

}  // namespace slipway::cli
