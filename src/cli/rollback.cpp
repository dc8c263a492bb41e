// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollback.hpp"

#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/notify.hpp"
#include "cli/tracing.hpp"
#include "cli/verbs.hpp"
#include "deploy/notify.hpp"
#include "deploy/rollback_state.hpp"
#include "deploy/task_definition.hpp"
#include "deploy/verdict.hpp"
#include "ledger/ledger.hpp"
#include "ledger/lock.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

std::string question_of(const std::vector<deploy::RollbackStep>& plan) {
  std::string text;
  for (const auto& step : plan) {
    text += fmt::format("{}: {} → {} ({})\n", step.from.service,
                        deploy::brief_task_definition(step.from.task_definition),
                        deploy::brief_task_definition(step.to.task_definition),
                        step.to.sha.substr(0, 12));
  }
  return text + "roll back?";
}

// What the way back does not take back.
void warn(const Surroundings& around, const ledger::Ledger& ledger, const std::string& environment,
          const std::vector<deploy::RollbackStep>& plan) {
  for (const auto& step : plan) {
    for (const auto& line : step.notes) {
      if (!around.quiet) print_error(line + "\n");
    }
  }
  std::int64_t since = plan.front().to.id;
  for (const auto& step : plan) since = std::min(since, step.to.id);
  std::size_t migrations = 0;
  for (const auto& entry : ledger.entries(since)) {
    if (entry.kind == "migrations.begun" &&
        formats::parse_json(entry.body, "ledger").get_string("environment") == environment)
      ++migrations;
  }
  if (migrations > 0 && !around.quiet) {
    print_error(fmt::format(
        "migrations have run {} time{} since that release: the database is not taken back\n",
        migrations, migrations == 1 ? "" : "s"));
  }
}

void tell(const Surroundings& around, const VerbSpan& span, ledger::Ledger& ledger,
          const deploy::Settings& settings, const Json& begun,
          const std::vector<deploy::RollbackResult>& results) {
  std::string environment = begun.get_string("environment");
  std::vector<ledger::Release> releases;
  for (const auto& result : results) {
    if (auto release = ledger.find(result.release)) releases.push_back(*release);
  }
  if (releases.empty()) return;
  span.end("rollback " + environment, releases);
  Json message = deploy::release_message(releases);
  message["release"] = begun.get_string("release");
  notify(around, ledger, settings, {{environment, message}});
}

int rollback(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  ledger::Ledger ledger(around.state / "ledger.db");
  auto plan = deploy::plan_rollback(ledger, environment,
                                    given.arguments.size() > 1 ? given.arguments[1] : "");
  if (plan.empty()) {
    print(around.json ? "[]\n" : fmt::format("{} is there already\n", environment));
    return 0;
  }
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  deploy::bring_back(calls, plan, given.has("--secret-versions"), around.stop);
  warn(around, ledger, environment, plan);
  if (!is_confirmed(given, question_of(plan))) return 130;
  auto sink = [&](const std::string& service, const deploy::RolloutEvent& event) {
    if (!around.quiet) print_error(fmt::format("{}: {}\n", service, event.text));
  };
  // Whatever is under way there has lost the environment from here on.
  ledger::EnvironmentLock lock(
      ledger, environment,
      {.owner = fmt::format("{}'s slipway rollback", user_name()), .take_over = true}, around.stop);
  if (!given.has("--no-pause"))
    ledger.pause(environment, user_name(),
                 fmt::format("rolled back to {}",
                             plan.front().to.sha.empty()
                                 ? deploy::brief_task_definition(plan.front().to.task_definition)
                                 : plan.front().to.sha.substr(0, 12)));
  VerbSpan span;
  auto settings = settings_here(around);
  auto begun = deploy::begun_message("rollback", environment, plan.front().to.sha, user_name());
  std::vector<deploy::RollbackResult> results;
  while_telling(around, ledger, settings, begun, [&] {
    results = deploy::roll_back(calls, ledger, plan, user_name(), {}, sink, around.stop,
                                lock.epoch(), span.for_releases());
  });
  bool ok = true;
  Json all = Json::array();
  std::string text;
  for (const auto& result : results) {
    ok = ok && result.verdict.ok();
    all.push_back(Json::object({{"service", result.step.from.service},
                                {"sha", result.step.to.sha},
                                {"taskDefinition", result.step.to.task_definition},
                                {"verdict", to_json(result.verdict)},
                                {"acceptedAfterMs", result.accepted_after.count()},
                                {"tookMs", result.verdict.took.count()}}));
    text += fmt::format(
        "{}: {} ({}) {} in {:.1f} s, accepted after {} ms\n", result.step.from.service,
        deploy::brief_task_definition(result.step.to.task_definition),
        result.step.to.sha.substr(0, 12),
        result.verdict.ok() ? "runs again" : to_line(result.verdict),
        static_cast<double>(result.verdict.took.count()) / 1000.0, result.accepted_after.count());
  }
  if (!given.has("--no-pause"))
    text += fmt::format("automatic deployments to {} are paused: slipway resume {}\n", environment,
                        environment);
  print(around.json ? all.dump() + "\n" : text);
  tell(around, span, ledger, settings, begun, results);
  return ok ? 0 : 1;
}

}  // namespace

Verb rollback_verb() {
  return {.name = "rollback",
          .usage = "ENV [SHA|REVISION] [--secret-versions] [--yes] [--no-pause]",
          .summary = "back to the last good release, or to a named one",
          .options = {{"--secret-versions", Option::Kind::flag, "",
                       "secrets as they were then, not as they are now"},
                      {"--yes", Option::Kind::flag, "", "do not ask"},
                      {"--no-pause", Option::Kind::flag, "", "let automatic deployments go on"}},
          .min_arguments = 1,
          .max_arguments = 2,
          .run = rollback};
}

}  // namespace slipway::cli
