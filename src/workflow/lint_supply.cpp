// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "workflow/known_actions.hpp"
#include "workflow/lint_rules.hpp"

// What others' code and data can do to a run, and what a run leaves behind for them.
namespace slipway::workflow {
namespace {

bool is_checkout(const Step& step) { return action_name(step.uses) == "actions/checkout"; }

// The whole workspace, .git with its token included.
bool uploads_workspace(const Step& step) {
  if (action_name(step.uses) != "actions/upload-artifact") return false;
  const auto paths = step.with["path"].literal();
  for (auto line : lines_of(paths)) {
    auto path = std::string(trim(line));
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (path == "." || path == "*" || path == "**" || path == "./**" ||
        path == "${{ github.workspace }}")
      return true;
  }
  return false;
}

void check_checkout(const Job& job, LintReport& report) {
  bool uploads = std::any_of(job.steps.begin(), job.steps.end(), uploads_workspace);
  for (const auto& step : job.steps) {
    if (!is_checkout(step)) continue;
    const auto& persist = step.with["persist-credentials"];
    if (persist.is_expression() || persist.literal() == "false") continue;
    report.add(uploads ? LintLevel::warning : LintLevel::note, "artipacked", step.uses_place,
               uploads ? "checkout leaves the token in .git/config, and an artifact takes the "
                         "whole workspace along"
                       : "checkout leaves the token in .git/config for every later step",
               "with: {persist-credentials: false}, unless a later step pushes");
  }
}

bool restores_cache(const Step& step) {
  auto action = action_name(step.uses);
  if (action == "actions/cache") return step.uses.find("/save@") == std::string::npos;
  const auto& cache = step.with["cache"];
  if (action.starts_with("actions/setup-")) {
    if (action == "actions/setup-go") return cache.literal() != "false";
    return !cache.is_absent() && cache.literal() != "false" && !cache.literal().empty();
  }
  return action == "docker/build-push-action" &&
         step.with["cache-from"].text.find("type=gha") != std::string::npos;
}

bool publishes(const Step& step) {
  auto action = action_name(step.uses);
  for (std::string_view publisher :
       {"pypa/gh-action-pypi-publish", "softprops/action-gh-release", "actions/create-release",
        "goreleaser/goreleaser-action", "js-devtools/npm-publish", "ncipollo/release-action"}) {
    if (action == publisher) return true;
  }
  const auto& run = step.run.text;
  for (std::string_view command :
       {"npm publish", "yarn publish", "pnpm publish", "twine upload", "cargo publish", "gem push",
        "gh release create", "poetry publish", "uv publish", "mvn deploy"}) {
    if (run.find(command) != std::string::npos) return true;
  }
  return false;
}

// Started by a release, or by tags alone.
bool is_release_workflow(const Workflow& workflow) {
  if (workflow.find_trigger("release") != nullptr) return true;
  const auto* push = workflow.find_trigger("push");
  return push != nullptr && push->tags.has_only && !push->branches.is_given();
}

void check_cache(const Workflow& workflow, const Job& job, LintReport& report) {
  if (!is_release_workflow(workflow) && std::none_of(job.steps.begin(), job.steps.end(), publishes))
    return;
  for (const auto& step : job.steps) {
    if (!restores_cache(step)) continue;
    report.add(
        LintLevel::warning, "cache-poisoning", step.uses_place,
        fmt::format("'{}' brings what other runs have cached into what is released", step.uses),
        "build releases without a cache");
  }
}

void check_image(const Template& container, LintReport& report) {
  const auto& image = container.is_mapping() ? container["image"] : container;
  if (!image.is_string() || image.text.empty()) return;
  auto name = image.text.substr(image.text.rfind('/') + 1);
  if (name.find('@') != std::string::npos) return;
  auto colon = name.find(':');
  if (colon == std::string::npos || name.substr(colon) == ":latest") {
    report.add(LintLevel::warning, "unpinned-images", image.place,
               fmt::format("'{}' is another image whenever its publisher pushes one", image.text),
               "name a version, better a digest: image@sha256:…");
  }
}

bool is_privileged(const Workflow& workflow) {
  return workflow.find_trigger("pull_request_target") != nullptr ||
         workflow.find_trigger("workflow_run") != nullptr;
}

void check_script(const Workflow& workflow, const Step& step, LintReport& report) {
  const auto& run = step.run.text;
  for (std::string_view command : {"::set-output", "::save-state", "::set-env", "::add-path"}) {
    if (run.find(command) == std::string::npos) continue;
    bool is_refused = command == "::set-env" || command == "::add-path";
    report.add(
        is_refused ? LintLevel::error : LintLevel::warning, "deprecated-commands", step.run.place,
        fmt::format("'{}' {}", command,
                    is_refused ? "is refused by GitHub's runner" : "will be taken away"),
        "write NAME=value to the file $GITHUB_OUTPUT, $GITHUB_STATE, $GITHUB_ENV or $GITHUB_PATH");
  }
  if (!is_privileged(workflow)) return;
  for (std::string_view file : {"GITHUB_ENV", "GITHUB_PATH"}) {
    if (run.find(file) == std::string::npos) continue;
    report.add(LintLevel::warning, "github-env", step.run.place,
               fmt::format("the script writes {} in a run that strangers start: they may choose "
                           "what later steps run",
                           file),
               "use $GITHUB_OUTPUT");
  }
}

void check_runner(const Workflow& workflow, const Job& job, LintReport& report) {
  bool is_open = workflow.find_trigger("pull_request") != nullptr || is_privileged(workflow);
  if (!is_open) return;
  auto is_own = [](const Template& label) {
    return label.is_string() && to_lower(label.text) == "self-hosted";
  };
  const auto& labels = job.runs_on.is_mapping() ? job.runs_on["labels"] : job.runs_on;
  if (!is_own(labels) && std::none_of(labels.items.begin(), labels.items.end(), is_own)) return;
  report.add(LintLevel::warning, "self-hosted-runner", labels.place,
             fmt::format("job '{}' lets pull requests run code on your own machine", job.id),
             "use a hosted runner for pull requests, or runners that live for one job");
}

constexpr std::array<std::string_view, 8> kArchived = {
    "actions/create-release", "actions/upload-release-asset",
    "actions/setup-ruby",     "actions-rs/toolchain",
    "actions-rs/cargo",       "actions-rs/clippy-check",
    "actions-rs/audit-check", "actions/setup-elixir"};

int major_version(const std::string& uses) {
  auto ref = uses.substr(uses.find('@') + 1);
  if (!ref.starts_with('v')) return 0;
  return static_cast<int>(to_integer(ref.substr(1, ref.find('.') - 1)).value_or(0));
}

void check_action(const Step& step, LintReport& report) {
  auto name = action_name(step.uses);
  if (std::find(kArchived.begin(), kArchived.end(), name) != kArchived.end()) {
    report.add(LintLevel::warning, "archived-uses", step.uses_place,
               fmt::format("'{}' is no longer looked after", name));
  }
  const auto* known = known_action(step.uses);
  auto major = major_version(step.uses);
  if (known != nullptr && major > 0 && major < known->oldest) {
    report.add(LintLevel::error, "retired-action", step.uses_place,
               fmt::format("GitHub refuses '{}'", step.uses),
               fmt::format("use {}@v{} or newer", name, known->oldest));
  }
  if (step.uses.find("//") != std::string::npos && !step.uses.starts_with("docker://")) {
    report.add(LintLevel::warning, "obfuscation", step.uses_place,
               fmt::format("'{}' hides what it names", step.uses));
  }
  if (name == "actions/create-github-app-token") {
    bool limits =
        std::any_of(step.with.entries.begin(), step.with.entries.end(),
                    [](const auto& entry) { return entry.key.text.starts_with("permission-"); });
    if (!limits) {
      report.add(LintLevel::warning, "github-app", step.uses_place,
                 "the token may do all that the app may",
                 "limit it: with: {permission-contents: read}");
    }
  }
  if (name == "pypa/gh-action-pypi-publish" && !step.with["password"].is_absent()) {
    report.add(LintLevel::note, "use-trusted-publishing", step.with["password"].place,
               "a long-lived token publishes the package", "let PyPI trust this workflow by OIDC");
  }
}

}  // namespace

void lint_supply(const Workflow& workflow, LintReport& report) {
  for (const auto& job : workflow.jobs) {
    check_checkout(job, report);
    check_cache(workflow, job, report);
    check_image(job.container, report);
    for (const auto& service : job.services.entries) check_image(service.value, report);
    check_runner(workflow, job, report);
    for (const auto& step : job.steps) {
      check_script(workflow, step, report);
      check_action(step, report);
    }
  }
}

}  // namespace slipway::workflow
