// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/approval_prompt.hpp"
#include "cli/verbs.hpp"
#include "workflow/environment_gate.hpp"
#include "workflow/run_store.hpp"

namespace slipway::cli {
namespace {

int approve(const Invocation& given, Surroundings& around) {
  workflow::RunStore store(around.state / "runs");
  const auto& run = given.arguments.at(0);
  auto record = store.find(run);
  if (!record) fail(Fault::not_found, "there is no run '{}'; see: slipway runs", run);
  if (!record->conclusion.empty())
    fail(Fault::conflict, "run {} has ended ({})", run, record->conclusion);
  auto approvals = store.directory_of(run) / "approvals";
  auto pending = workflow::pending_approvals(approvals);
  if (pending.empty()) fail(Fault::not_found, "no job of run {} waits for an approval", run);
  workflow::Decision decision{.approved = !given.has("--reject"),
                              .reviewer = given.value_or("--as", reviewer_name()),
                              .comment = given.value_or("--comment", "")};
  auto wanted = given.arguments.size() > 1 ? given.arguments[1] : std::string();
  for (const auto& one : pending) {
    if (!wanted.empty() && !equals_ignoring_case(one.job, wanted)) continue;
    workflow::decide_approval(approvals, one.job, decision);
    print(fmt::format("{} {} ({}) for {}\n", decision.approved ? "approved" : "rejected", one.job,
                      one.environment, decision.reviewer));
    if (!wanted.empty()) return 0;
  }
  if (!wanted.empty()) fail(Fault::not_found, "job '{}' does not wait for an approval", wanted);
  return 0;
}

}  // namespace

Verb approve_verb() {
  return {.name = "approve",
          .usage = "RUN [JOB]",
          .summary = "lets jobs go on that wait for an environment's reviewers",
          .options = {{"--reject", Option::Kind::flag, "", "do not let them"},
                      {"--comment", Option::Kind::value, "TEXT", "why"},
                      {"--as", Option::Kind::value, "NAME", "the reviewer; default: who calls"}},
          .min_arguments = 1,
          .max_arguments = 2,
          .run = approve};
}

}  // namespace slipway::cli
