// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "workflow/cron.hpp"
#include "workflow/lint_rules.hpp"

// Values that GitHub takes and that cannot mean what they say: filters, times, inputs, shells, names, labels.
namespace slipway::workflow {
namespace {

using Strings = std::vector<std::string>;

void check_patterns(const Strings& patterns, const std::string& kind, const Trigger& trigger,
                    LintReport& report) {
  auto tell = [&](std::string message, std::string mend) {
    report.add(LintLevel::warning, "filter-pattern", trigger.place, std::move(message),
               std::move(mend));
  };
  bool has_positive = std::any_of(patterns.begin(), patterns.end(),
                                  [](const auto& one) { return !one.starts_with('!'); });
  if (!patterns.empty() && !has_positive) {
    tell(fmt::format("on.{}.{} has only '!' patterns and matches nothing", trigger.event, kind),
         fmt::format("put '**' before them, or use {}-ignore", kind));
  }
  for (const auto& pattern : patterns) {
    auto text = pattern.starts_with('!') ? pattern.substr(1) : pattern;
    bool is_ref = text.starts_with("refs/");
    if (kind == "paths" ? text.starts_with("./") || text.starts_with('/') : is_ref) {
      tell(fmt::format("'{}' in on.{}.{} never matches: {}", pattern, trigger.event, kind,
                       is_ref ? "a name has no refs/heads/ or refs/tags/ before it"
                              : "paths start at the top of the repository, without '/'"),
           "leave out the start");
    }
  }
}

void check_input(const InputDefinition& input, LintReport& report) {
  const auto& standard = input.standard;
  if (input.type == "choice" && standard.is_string() &&
      std::find(input.options.begin(), input.options.end(), standard.text) == input.options.end()) {
    report.add(LintLevel::error, "input-default", standard.place,
               fmt::format("'{}' is none of the options of input '{}'", standard.text, input.name),
               "it has " + join(input.options, ", "));
  }
  std::set<std::string> seen;
  for (const auto& option : input.options) {
    if (seen.insert(option).second) continue;
    report.add(LintLevel::warning, "input-default", input.place,
               fmt::format("input '{}' has the option '{}' twice", input.name, option));
  }
  if (input.type == "number" && standard.is_scalar() && !standard.is_expression() &&
      standard.kind != Template::Kind::number) {
    report.add(
        LintLevel::error, "input-default", standard.place,
        fmt::format("the default of input '{}' is no number: '{}'", input.name, standard.text));
  }
  if (input.required && !standard.is_absent()) {
    report.add(LintLevel::note, "input-default", standard.place,
               fmt::format("input '{}' is required: its default is never used", input.name));
  }
}

void check_trigger(const Trigger& trigger, LintReport& report) {
  check_patterns(trigger.branches.only, "branches", trigger, report);
  check_patterns(trigger.tags.only, "tags", trigger, report);
  check_patterns(trigger.paths.only, "paths", trigger, report);
  for (const auto& cron : trigger.crons) {
    if (!is_cron(cron) || shortest_interval(cron) >= 5) continue;
    report.add(LintLevel::warning, "schedule-interval", trigger.place,
               fmt::format("'{}' asks for runs {} minutes apart: GitHub starts at most one every 5",
                           cron, shortest_interval(cron)));
  }
  for (const auto& input : trigger.inputs) check_input(input, report);
}

void check_shell(const Template& shell, LintReport& report) {
  if (!shell.is_string() || shell.text.find("{0}") != std::string::npos) return;
  for (std::string_view known : {"bash", "sh", "pwsh", "powershell", "python", "cmd"}) {
    if (shell.text == known) return;
  }
  report.add(LintLevel::error, "invalid-shell", shell.place,
             fmt::format("there is no shell '{}'", shell.text),
             "use bash, sh, pwsh, python, or a command with {0} where the script's file goes");
}

void check_env(const Template& env, LintReport& report) {
  for (const auto& entry : env.entries) {
    if (!entry.key.is_string() || entry.is_insert) continue;
    const auto& name = entry.key.text;
    if (name.empty() || name.find_first_of("=& \t") != std::string::npos) {
      report.add(LintLevel::error, "env-name", entry.key.place,
                 fmt::format("'{}' is no name of a variable", name));
    }
    if (to_lower(name) == "actions_allow_unsecure_commands" && entry.value.literal() != "false") {
      report.add(LintLevel::error, "insecure-commands", entry.key.place,
                 "whatever prints '::set-env' may choose what later steps run",
                 "write to $GITHUB_ENV and $GITHUB_PATH");
    }
  }
}

constexpr std::array<std::string_view, 30> kHosted = {"ubuntu-latest",
                                                      "ubuntu-26.04",
                                                      "ubuntu-24.04",
                                                      "ubuntu-22.04",
                                                      "ubuntu-26.04-arm",
                                                      "ubuntu-24.04-arm",
                                                      "ubuntu-22.04-arm",
                                                      "ubuntu-slim",
                                                      "windows-latest",
                                                      "windows-2025",
                                                      "windows-2022",
                                                      "windows-11-arm",
                                                      "windows-2025-vs2026",
                                                      "macos-latest",
                                                      "macos-latest-large",
                                                      "macos-latest-xlarge",
                                                      "macos-26",
                                                      "macos-26-large",
                                                      "macos-26-xlarge",
                                                      "macos-26-intel",
                                                      "macos-15",
                                                      "macos-15-large",
                                                      "macos-15-xlarge",
                                                      "macos-15-intel",
                                                      "macos-14",
                                                      "macos-14-large",
                                                      "macos-14-xlarge",
                                                      "ubuntu-latest-arm",
                                                      "windows-latest-arm",
                                                      "windows-latest-large"};
constexpr std::array<std::string_view, 10> kRetired = {
    "ubuntu-20.04", "ubuntu-18.04", "ubuntu-16.04", "windows-2019", "windows-2016",
    "macos-13",     "macos-12",     "macos-11",     "macos-10.15",  "macos-11.0"};

void check_label(const Template& label, bool is_alone, LintReport& report) {
  if (!label.is_string()) return;
  auto name = to_lower(label.text);
  if (std::find(kRetired.begin(), kRetired.end(), name) != kRetired.end()) {
    report.add(LintLevel::warning, "runner-label", label.place,
               fmt::format("GitHub has no more runners '{}'", label.text));
    return;
  }
  bool is_version = false;
  for (std::string_view start : {"ubuntu-", "windows-", "macos-"}) {
    auto after = name.starts_with(start) ? name.substr(start.size()) : "";
    // A larger runner of an organisation may have any name; one that looks like a version is a slip.
    is_version = is_version ||
                 (!after.empty() && after.find_first_not_of("0123456789.") == std::string::npos) ||
                 after == "lates";
  }
  for (std::string_view guess : {"ubuntu", "linux", "macos", "windows", "linux-latest",
                                 "mac-latest", "osx-latest", "win-latest"})
    is_version = is_version || (is_alone && name == guess);
  if (!is_version || std::find(kHosted.begin(), kHosted.end(), name) != kHosted.end()) return;
  report.add(LintLevel::warning, "runner-label", label.place,
             fmt::format("GitHub has no runner '{}'", label.text));
}

void check_needs(const Job& job, LintReport& report) {
  std::set<std::string, IgnoringCase> seen;
  for (std::size_t i = 0; i < job.needs.size(); ++i) {
    if (seen.insert(job.needs[i]).second) continue;
    report.add(LintLevel::warning, "duplicate-needs", job.needs_places[i],
               fmt::format("job '{}' needs '{}' twice", job.id, job.needs[i]));
  }
}

void check_concurrency(const Workflow& workflow, const Job& job, LintReport& report) {
  if (deploying_step(job) == nullptr || !workflow.concurrency.is_absent() ||
      !job.concurrency.is_absent())
    return;
  report.add(
      LintLevel::note, "concurrency-limits", job.place,
      fmt::format("two runs may be in job '{}' at once, and the older may deploy last", job.id),
      "give it a concurrency group: concurrency: {group: deploy-…}");
}

}  // namespace

void lint_forms(const Workflow& workflow, LintReport& report) {
  for (const auto& trigger : workflow.triggers) check_trigger(trigger, report);
  check_env(workflow.env, report);
  check_shell(workflow.defaults.shell, report);
  for (const auto& job : workflow.jobs) {
    check_env(job.env, report);
    check_shell(job.defaults.shell, report);
    check_needs(job, report);
    check_concurrency(workflow, job, report);
    const auto& labels = job.runs_on.is_mapping() ? job.runs_on["labels"] : job.runs_on;
    check_label(labels, true, report);
    for (const auto& label : labels.items) check_label(label, labels.items.size() == 1, report);
    for (const auto& step : job.steps) {
      check_env(step.env, report);
      check_shell(step.shell, report);
    }
  }
}

}  // namespace slipway::workflow
