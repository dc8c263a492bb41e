// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
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

// What is promoted was tested and runs well where it comes from, whatever slipway.yml asks for beside that.
deploy::Protection protection_of(const deploy::EnvironmentSettings& settings,
                                 const std::string& from) {
  deploy::Protection protection = settings.protection;
  if (!protection.promote_from.empty() && protection.promote_from != from) {
    fail(Fault::denied,
         "this environment takes releases from '{}' only (slipway.yml), not from '{}'",
         protection.promote_from, from);
  }
  protection.promote_from = from;
  protection.require_tests = true;
  return protection;
}

[[noreturn]] void refuse(ledger::Ledger& ledger, const std::string& from, const std::string& to,
                         const std::string& sha, const std::vector<std::string>& troubles) {
  deploy::record_refusal(ledger, to, user_name(), sha, troubles);
  std::string text;
  for (const auto& trouble : troubles) text += "\n  " + trouble;
  fail(Fault::denied, "what runs in '{}' is not promoted to '{}':{}", from, to, text);
}

void attest(const Surroundings& around, deploy::Calls& calls, ledger::Ledger& ledger,
            const std::string& to, const std::vector<deploy::Candidate>& candidates,
            const deploy::Proof& proof) {
  for (const auto& candidate : candidates) {
    Json envelope = deploy::attestation(ledger, to, candidate, proof);
    ledger.append("attestation", Json::object({{"environment", to},
                                               {"service", candidate.service},
                                               {"sha", proof.sha},
                                               {"envelope", envelope}}));
    publish_attestation(around, calls, candidate,
                        fmt::format("{}-{}-{}", to, candidate.service, proof.sha.substr(0, 12)),
                        envelope);
  }
}

// The commit that runs there: what is promoted is filled in with it. Empty when nothing does.
std::string commit_in(const ledger::Ledger& ledger, const std::string& environment) {
  std::optional<ledger::Release> newest;
  for (const auto& service : ledger.services(environment)) {
    auto release = ledger.current(environment, service);
    if (release && (!newest || release->id > newest->id)) newest = release;
  }
  return newest ? newest->sha : "";
}

int promote(const Invocation& given, Surroundings& around) {
  const std::string& from = given.arguments[0];
  const std::string& to = given.arguments[1];
  ledger::Ledger ledger(around.state / "ledger.db");
  auto view = read_environment(around, to, commit_in(ledger, from));
  view.keeps_images = true;
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  Invocation plain;
  plain.given = given.given;
  auto candidates = read_candidates(around, calls, view, plain);
  const auto& settings = view.settings.of(to);
  deploy::Protection protection;
  try {
    protection = protection_of(settings, from);
    deploy::take_digests_from(ledger, from, candidates);
  } catch (const Error& error) {
    if (error.fault() != Fault::denied && error.fault() != Fault::not_found) throw;
    refuse(ledger, from, to, "", {error.what()});
  }
  auto proof =
      deploy::prove(calls, ledger, to, candidates, protection, "", user_name(), around.stop);
  if (!proof.troubles.empty()) refuse(ledger, from, to, proof.sha, proof.troubles);
  auto differences = deploy::differences(calls, candidates, around.stop);
  deploy::describe_images(calls, differences, ecr_blobs(around, calls), around.stop);
  std::string changes =
      print_differences(differences) + print_migrations(pending_migrations(around, ledger, view));
  if (!around.quiet) print_error(changes);
  if (!is_confirmed(given,
                    fmt::format("promote {} from {} to {}?", proof.sha.substr(0, 12), from, to)))
    return 130;

  deploy::EnvironmentRelease what{.candidates = candidates,
                                  .settings = settings,
                                  .cause = "promote",
                                  .sha = proof.sha,
                                  .test_verdict = proof.test_verdict,
                                  .who = user_name()};
  VerbSpan span;
  what.trace_parent = span.for_releases();
  what.interrupted = [&around] { return ask_interrupted(around.hurry); };
  what.sink = event_printer(around);
  ledger::EnvironmentLock lock(
      ledger, to, {.owner = fmt::format("{}'s slipway promote", user_name())}, around.stop);
  what.epoch = lock.epoch();
  deploy::settle_lost(calls, ledger, to, what.watch, {}, around.stop);
  attest(around, calls, ledger, to, candidates, proof);
  auto begun = deploy::begun_message("promote", to, proof.sha, user_name());
  std::vector<deploy::ServiceOutcome> outcomes;
  while_telling(around, ledger, view.settings, begun,
                [&] { outcomes = deploy::release_environment(calls, ledger, what, around.stop); });
  int code = print_outcomes(around, to, outcomes, true);
  span.end("promote " + to, releases_of(ledger, outcomes));
  formats::Json message =
      deploy::outcome_message("promote", to, proof.sha, user_name(), outcomes, changes);
  message["release"] = begun.get_string("release");
  notify(around, ledger, view.settings, {{to, message}});
  return code;
}

}  // namespace

Verb promote_verb() {
  return {.name = "promote",
          .usage = "FROM TO [--service NAME]… [--yes]",
          .summary = "the same digests onward, if they were tested and are healthy",
          .options = {{"--service", Option::Kind::list, "NAME", "only this service"},
                      {"--yes", Option::Kind::flag, "", "do not ask"}},
          .min_arguments = 2,
          .max_arguments = 2,
          .run = promote};
}

}  // namespace slipway::cli
