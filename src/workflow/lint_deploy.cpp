// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/filter.hpp"
#include "workflow/lint_rules.hpp"
#include "workflow/plan.hpp"

namespace slipway::workflow {
namespace {

bool is_word_in(const std::string& text, std::string_view word) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    auto is_letter = [&](std::size_t i) {
      return i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])) != 0;
    };
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
  }
  return false;
}

bool runs_tests(const Step& step) {
  auto run = to_lower(step.run.literal());
  for (std::string_view command :
       {"pytest",      "npm test",     "npm t",       "npm run test",    "yarn test",
        "pnpm test",   "go test",      "cargo test",  "make test",       "make check",
        "ctest",       "jest",         "vitest",      "mvn test",        "mvn verify",
        "gradle test", "gradlew test", "tox",         "manage.py test",  "rspec",
        "rake test",   "phpunit",      "dotnet test", "playwright test", "dev test"}) {
    if (run.find(command) != std::string::npos) return true;
  }
  return false;
}

bool is_test_job(const Job& job) {
  auto names = to_lower(job.id + " " + job.name.literal());
  for (std::string_view word : {"test", "tests", "check", "checks", "ci", "verify"}) {
    if (is_word_in(names, word)) return true;
  }
  return std::any_of(job.steps.begin(), job.steps.end(), runs_tests);
}

// True when a test job must have succeeded before this one starts.
bool is_gated(const Workflow& workflow, const Job& job, std::set<std::string>& seen) {
  for (const auto& need : job.needs) {
    const auto* other = workflow.find_job(need);
    if (other == nullptr || !seen.insert(other->id).second) continue;
    if (is_test_job(*other) || is_gated(workflow, *other, seen)) return true;
  }
  return false;
}

// always() and its like let a job start although what it needs has failed, unless it asks for their results.
bool ignores_failures(const Job& job) {
  const auto& condition = job.condition.expression;
  bool any_status = condition.calls_any({"always", "cancelled", "failure"});
  return any_status && !condition.calls_any({"success"}) && !condition.uses_context("needs");
}

bool tests_first(const Job& job, const Step& deploying) {
  for (const auto& step : job.steps) {
    if (&step == &deploying) return false;
    if (runs_tests(step)) return true;
  }
  return false;
}

void check_gate(const Workflow& workflow, const Job& job, LintReport& report) {
  const auto* step = deploying_step(job);
  if (step != nullptr && tests_first(job, *step)) return;
  auto place = step != nullptr ? step->place : job.place;
  std::set<std::string> seen;
  if (!is_gated(workflow, job, seen)) {
    report.add(LintLevel::error, "ungated-deploy", place,
               fmt::format("job '{}' deploys what no test job has passed", job.id),
               "add 'needs:' with the job that runs the tests");
  } else if (ignores_failures(job)) {
    report.add(LintLevel::error, "ungated-deploy", job.condition.place,
               fmt::format("job '{}' deploys even when the tests it needs have failed: {}", job.id,
                           job.condition.text),
               "leave out always(), or ask for needs.<job>.result == 'success'");
  }
}

bool is_production(const std::string& environment) {
  auto name = to_lower(environment);
  return name == "live" || name == "prd" || name.starts_with("prod");
}

// Where a push to each of these goes tells whether a branch reaches production.
constexpr std::string_view kBranches[] = {"main", "master", "develop", "feature/x"};

const PlannedJob* production_job(const std::vector<PlannedJob>& jobs) {
  for (const auto& job : jobs) {
    if (job.verdict != PlannedJob::Verdict::skipped && is_production(job.environment) &&
        deploys(*job.job))
      return &job;
  }
  return nullptr;
}

void check_event(const std::shared_ptr<const Workflow>& workflow, const Event& event,
                 const std::string& what, LintLevel level, std::set<std::string>& told,
                 LintReport& report) {
  try {
    auto planned = plan({workflow}, event, {});
    const auto* job = production_job(planned.workflows[0].jobs);
    if (job == nullptr || !told.insert(job->job->id).second) return;
    report.add(level, "production-from-branch", job->job->place,
               fmt::format("{} reaches environment '{}' through job '{}'", what, job->environment,
                           job->job->id),
               "let only tags reach it: if: startsWith(github.ref, 'refs/tags/v')");
  } catch (const Error&) {
    // Needs inputs or values that only a run has: nothing can be said.
  }
}

bool deploys_somewhere(const Workflow& workflow) {
  return std::any_of(workflow.jobs.begin(), workflow.jobs.end(), [](const Job& job) {
    if (job.callee) return deploys_somewhere(*job.callee);
    return !job.environment.is_absent() && deploys(job);
  });
}

void check_production(const Workflow& workflow, LintReport& report) {
  if (!deploys_somewhere(workflow)) return;
  // The plan keeps pointers into the workflow it is given; this one outlives it.
  std::shared_ptr<const Workflow> borrowed(std::shared_ptr<const Workflow>(), &workflow);
  std::set<std::string> told;
  for (auto branch : kBranches) {
    Event event;
    event.ref = fmt::format("refs/heads/{}", branch);
    event.sha = std::string(40, '0');
    event.repository = "owner/name";
    event.payload = formats::Json::object();
    check_event(borrowed, event, fmt::format("a push to branch '{}'", branch), LintLevel::error,
                told, report);
    event.name = "pull_request";
    event.base_ref = std::string(branch);
    event.ref = "refs/pull/1/merge";
    check_event(borrowed, event, "a pull request", LintLevel::error, told, report);
  }
  Event manual;
  manual.name = "workflow_dispatch";
  manual.ref = "refs/heads/feature/x";
  manual.repository = "owner/name";
  manual.payload = formats::Json::object();
  check_event(borrowed, manual, "a start by hand from any branch", LintLevel::warning, told,
              report);
}

}  // namespace

void lint_deployment(const Workflow& workflow, LintReport& report) {
  for (const auto& job : workflow.jobs) {
    if (deploys(job)) check_gate(workflow, job, report);
  }
  check_production(workflow, report);
}

}  // namespace slipway::workflow
