// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/attestation.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/notify.hpp"
#include "cli/tracing.hpp"
#include "cli/verbs.hpp"
#include "deploy/notify.hpp"
#include "deploy/proof.hpp"
#include "ledger/ledger.hpp"
#include "ledger/lock.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

void note(const Surroundings& around, const std::string& text) {
  if (!around.quiet) print_error(text + "\n");
}

// Refused by its protection: said and written down.
[[noreturn]] void refuse(ledger::Ledger& ledger, const std::string& environment,
                         const deploy::Proof& proof, const std::string& sha) {
  deploy::record_refusal(ledger, environment, user_name(), sha, proof.troubles);
  std::string text;
  for (const auto& trouble : proof.troubles) text += "\n  " + trouble;
  fail(Fault::denied, "'{}' does not take this release:{}", environment, text);
}

std::chrono::seconds timeout_of(const Invocation& given) {
  auto text = given.value("--timeout");
  if (!text) return std::chrono::minutes(30);
  auto span = deploy::parse_span(*text);
  if (!span || span->count() == 0)
    fail(Fault::bad_input, "--timeout takes a time such as 90s, 10m or 1h, not '{}'", *text);
  return *span;
}

// Images that are not there fail the release before anything is started, as the cause that they would have been.
std::vector<deploy::ServiceOutcome> without_images(
    const std::vector<deploy::Candidate>& candidates) {
  std::vector<deploy::ServiceOutcome> outcomes;
  for (const auto& candidate : candidates) {
    if (candidate.missing.empty()) continue;
    deploy::ServiceOutcome outcome{.service = candidate.service, .why = "", .released = {}};
    outcome.released.verdict.outcome = ledger::Verdict::failed;
    for (const auto& missing : candidate.missing) {
      deploy::Cause cause{.kind = deploy::Cause::Kind::cannot_pull,
                          .container = missing.container,
                          .detail = missing.message,
                          .tasks = 0};
      outcome.released.verdict.causes.push_back(std::move(cause));
    }
    outcome.released.verdict.note = "nothing was started";
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

// What is told about an environment that automatic deployments are kept from.
void check_pause(const Surroundings& around, const ledger::Ledger& ledger,
                 const std::string& environment) {
  auto pause = ledger.paused(environment);
  if (!pause) return;
  if (is_automatic()) {
    fail(Fault::denied,
         "automatic deployments to '{}' are paused since {} by {} ({}): slipway resume {}",
         environment, pause->at, pause->who, pause->reason, environment);
  }
  note(around, fmt::format("automatic deployments to '{}' stay paused ({}): slipway resume {}",
                           environment, pause->reason, environment));
}

int deploy(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  auto timeout = timeout_of(given);
  auto view = read_environment(around, environment, given.value_or("--sha", ""));
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  ledger::Ledger ledger(around.state / "ledger.db");
  check_pause(around, ledger, environment);
  auto candidates = read_candidates(around, calls, view, given);
  if (auto outcomes = without_images(candidates); !outcomes.empty())
    return print_outcomes(around, environment, outcomes, true);
  const auto& settings = view.settings.of(environment);
  auto proof = deploy::prove(calls, ledger, environment, candidates, settings.protection, view.sha,
                             user_name(), around.stop);
  if (!proof.troubles.empty()) refuse(ledger, environment, proof, view.sha);

  auto differences = deploy::differences(calls, candidates, around.stop);
  deploy::describe_images(calls, differences, ecr_blobs(around, calls), around.stop);
  std::string changes =
      print_differences(differences) + print_migrations(pending_migrations(around, ledger, view));
  note(around, std::string(trim(changes)));
  if (!is_confirmed(given, fmt::format("deploy {} to {}?", view.sha.substr(0, 12), environment)))
    return 130;

  deploy::EnvironmentRelease what{.candidates = std::move(candidates),
                                  .settings = settings,
                                  .sha = view.sha,
                                  .who = user_name()};
  what.test_verdict = deploy::test_verdict_of(ledger, view.sha);
  VerbSpan span;
  what.trace_parent = span.for_releases();
  what.waits = !given.has("--no-wait");
  what.forces = given.has("--force");
  what.watch.deadline = Deadline::in(timeout);
  what.interrupted = [&around] { return ask_interrupted(around.hurry); };
  what.sink = event_printer(around);
  ledger::EnvironmentLock lock(
      ledger, environment,
      {.owner = fmt::format("{}'s slipway deploy", user_name()),
       .deadline = Deadline::in(timeout),
       .waiting =
           [&](const std::string& holder) {
             note(around, fmt::format("{} is being changed by {}: waiting", environment, holder));
           }},
      around.stop);
  what.epoch = lock.epoch();
  deploy::settle_lost(
      calls, ledger, environment, what.watch, [&](const std::string& line) { note(around, line); },
      around.stop);
  auto begun = deploy::begun_message("deploy", environment, view.sha, user_name());
  std::vector<deploy::ServiceOutcome> outcomes;
  while_telling(around, ledger, view.settings, begun,
                [&] { outcomes = deploy::release_environment(calls, ledger, what, around.stop); });
  int code = print_outcomes(around, environment, outcomes, what.waits);
  span.end("deploy " + environment, releases_of(ledger, outcomes));
  Json message =
      deploy::outcome_message("deploy", environment, view.sha, user_name(), outcomes, changes);
  message["release"] = begun.get_string("release");
  notify(around, ledger, view.settings, {{environment, message}});
  return code;
}

}  // namespace

Verb deploy_verb() {
  return {
      .name = "deploy",
      .usage =
          "ENV [--service NAME]… [--image NAME=REF] [--task-definition F] [--sha SHA] [--yes] "
          "[--no-wait] [--timeout D]",
      .summary = "renders, shows the difference, registers, updates, watches to a verdict",
      .options =
          {{"--service", Option::Kind::list, "NAME", "only this service"},
           {"--image", Option::Kind::list, "NAME=REF",
            "the image of a container; default: the workflow's repository with the commit as tag"},
           {"--task-definition", Option::Kind::value, "FILE",
            "instead of the workflow's; with one --service"},
           {"--sha", Option::Kind::value, "SHA", "the commit; default: HEAD"},
           {"--yes", Option::Kind::flag, "", "do not ask"},
           {"--no-wait", Option::Kind::flag, "", "end when the cloud has accepted it"},
           {"--force", Option::Kind::flag, "", "new tasks also where nothing changes"},
           {"--timeout", Option::Kind::value, "D", "how long it may take: 90s, 10m; default 30m"}},
      .min_arguments = 1,
      .max_arguments = 1,
      .run = deploy};
}

}  // namespace slipway::cli
