// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/verbs.hpp"
#include "ledger/ledger.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

std::string running_task(aws::Client& client, const ledger::Release& release,
                         const std::stop_token& stop) {
  Json listed = client
                    .call("ecs", "ListTasks",
                          Json::object({{"cluster", release.cluster},
                                        {"serviceName", release.service},
                                        {"desiredStatus", "RUNNING"}}),
                          stop)
                    .value();
  if (listed.get_array("taskArns").empty())
    fail(Fault::not_found, "no task of '{}' runs", release.service);
  return listed.get_array("taskArns").front().as_string();
}

// The session's protocol is the Session Manager's: its plugin speaks it, as for `aws ecs execute-command`.
int exec(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  ledger::Ledger ledger(around.state / "ledger.db");
  auto release = ledger.latest(environment, given.arguments[1]);
  if (!release)
    fail(Fault::not_found, "no service '{}' was deployed to '{}'", given.arguments[1], environment);
  aws::Client client(aws_access(around.state));
  std::string task = running_task(client, *release, around.stop);
  std::string command = given.rest.empty() ? "/bin/sh" : join(given.rest, " ");
  Json input = Json::object(
      {{"cluster", release->cluster}, {"task", task}, {"interactive", true}, {"command", command}});
  if (auto container = given.value("--container")) input["container"] = *container;
  auto answer = client.call("ecs", "ExecuteCommand", input, around.stop);
  if (const auto* error = answer.error()) {
    if (error->code.starts_with("UnknownOperation") || error->code == "InvalidAction" ||
        error->code == "UnsupportedOperation") {
      fail(Fault::unsupported,
           "'exec' is not supported yet by this AWS: it has no ecs:ExecuteCommand; slipway task {} "
           "-- CMD runs a command in a task of its own",
           environment);
    }
    (void)answer.value();
  }
  auto plugin = os::find_program("session-manager-plugin");
  if (!plugin)
    fail(Fault::unavailable,
         "the session is open, but there is no session-manager-plugin to speak with it: install "
         "AWS's Session Manager plugin");
  ledger.append("exec", Json::object({{"environment", environment},
                                      {"service", release->service},
                                      {"task", task},
                                      {"command", command},
                                      {"who", user_name()}}));
  auto process = os::Process::spawn({.argv = {*plugin, answer.value().at("session").dump(),
                                              client.config().region, "StartSession"},
                                     .stdin_fd = 0,
                                     .stdout_fd = 1,
                                     .stderr_fd = 2});
  return process.run(around.stop, Deadline::never(), std::chrono::seconds(5)).status();
}

}  // namespace

Verb exec_verb() {
  return {.name = "exec",
          .usage = "ENV SERVICE [--container NAME] [-- CMD]",
          .summary = "a shell in a running task",
          .options = {{"--container", Option::Kind::value, "NAME", "default: the task's only one"}},
          .min_arguments = 2,
          .max_arguments = 2,
          .run = exec};
}

}  // namespace slipway::cli
