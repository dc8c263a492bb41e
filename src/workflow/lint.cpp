// SPDX-License-Identifier: Apache-2.0
#include "workflow/lint.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

// The rules named by "slipway: ignore[a, b]" in the comment of a line.
std::vector<std::string> ignored_rules(std::string_view line) {
  auto comment = line.find('#');
  if (comment == std::string_view::npos) return {};
  auto mark = line.find("slipway: ignore[", comment);
  if (mark == std::string_view::npos) return {};
  auto from = mark + 16;
  auto to = line.find(']', from);
  if (to == std::string_view::npos) return {};
  std::vector<std::string> rules;
  for (const auto& name : split(line.substr(from, to - from), ',')) rules.emplace_back(trim(name));
  return rules;
}

bool is_comment(std::string_view line) { return trim(line).starts_with('#'); }

void drop_ignored(std::vector<LintFinding>& findings, std::string_view text,
                  const std::string& file) {
  auto lines = lines_of(text);
  auto line_ignores = [&](int number, const std::string& rule) {
    if (number < 1 || static_cast<std::size_t>(number) > lines.size()) return false;
    auto rules = ignored_rules(lines[static_cast<std::size_t>(number) - 1]);
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  };
  std::erase_if(findings, [&](const LintFinding& finding) {
    if (finding.file != file || finding.rule == "syntax") return false;
    if (line_ignores(finding.line, finding.rule)) return true;
    auto above = static_cast<std::size_t>(std::max(finding.line - 2, 0));
    return finding.line > 1 && above < lines.size() && is_comment(lines[above]) &&
           line_ignores(finding.line - 1, finding.rule);
  });
}

}  // namespace

std::string_view name_of(LintLevel level) {
  return level == LintLevel::error ? "error" : level == LintLevel::warning ? "warning" : "note";
}

const std::vector<LintRule>& lint_rules() {
  static const std::vector<LintRule> rules = {
      {"syntax", "The file is no workflow GitHub would accept"},
      {"adhoc-packages", "A package is installed past the lock file"},
      {"anonymous-definition", "A workflow has no name"},
      {"archived-uses", "An action is no longer looked after"},
      {"artipacked", "checkout leaves a token where later steps and artifacts find it"},
      {"bot-conditions", "A condition trusts a name that can be made to look like a bot's"},
      {"cache-poisoning", "What other runs have cached becomes part of a release"},
      {"concurrency-limits", "Two runs may deploy at once"},
      {"constant-condition", "A condition is always true or false"},
      {"dangerous-triggers", "A trigger gives strangers' code secrets or a writing token"},
      {"dependabot-cooldown", "Dependabot takes versions the moment they appear"},
      {"dependabot-execution", "Dependabot runs the code of packages"},
      {"deprecated-commands", "A script prints a workflow command that is refused or will be"},
      {"duplicate-needs", "A job needs another twice"},
      {"env-name", "A name that no variable can have"},
      {"excessive-permissions", "A job's token may do more than it needs"},
      {"exclusive-filters", "A trigger has a filter and its -ignore form"},
      {"filter-pattern", "A filter's pattern can match nothing"},
      {"github-app", "An app's token is not limited"},
      {"github-env", "A run that strangers start writes to GITHUB_ENV or GITHUB_PATH"},
      {"hardcoded-credentials", "A token, key or password stands in the file"},
      {"input-default", "An input's default does not fit it"},
      {"insecure-commands", "Commands that any output can give are allowed"},
      {"invalid-shell", "A shell that does not exist"},
      {"latest-tag", "An image is built, pushed or deployed as :latest"},
      {"misfeature", "A part of the platform that is better left alone"},
      {"missing-input", "An action is not given an input it requires"},
      {"missing-permission", "A job lacks a permission its steps need"},
      {"obfuscation", "An action's name is written to hide it"},
      {"overprovisioned-secrets", "All secrets go to one place"},
      {"plain-secret", "A task definition holds a secret in plain text"},
      {"production-from-branch", "A branch, not a tag, reaches production"},
      {"pyflakes", "What pyflakes says about a script"},
      {"ref-version-mismatch", "A comment names another version than the commit"},
      {"retired-action", "GitHub refuses this version of the action"},
      {"runner-label", "No runner has the label"},
      {"schedule-interval", "A schedule asks for more runs than there will be"},
      {"secret-in-script", "A secret becomes part of a script"},
      {"secrets-inherit", "A called workflow gets every secret"},
      {"secrets-outside-env", "A secret belongs to no environment"},
      {"self-hosted-runner", "Pull requests run on your own machine"},
      {"self-repository", "A path is looked for in another repository"},
      {"shellcheck", "What shellcheck says about a script"},
      {"static-aws-keys", "Long-lived AWS keys are used where a role by OIDC would do"},
      {"superfluous-actions", "An action does what the machine can"},
      {"task-definition", "A task definition cannot be read"},
      {"template-injection", "Text that others write becomes part of a script"},
      {"type-mismatch", "An expression's kinds do not fit"},
      {"typosquat-uses", "An action's name looks like another's"},
      {"undocumented-permissions", "Nothing says what a permission is for"},
      {"ungated-deploy", "A job deploys what no test job has passed"},
      {"unknown-action", "A local action does not exist"},
      {"unknown-context", "A context has no such member"},
      {"unknown-input", "An action is given an input it does not have"},
      {"unknown-reference",
       "An expression names a job, step, output, input or matrix key that does not exist"},
      {"unpinned-images", "A container's image can change"},
      {"unpinned-tools", "A tool's version is whatever is the latest"},
      {"unpinned-uses",
       "An action or workflow is named by something that can be moved to other code"},
      {"unredacted-secrets", "Parts of a secret are not masked"},
      {"unsound-condition", "Text around an expression makes a condition always true"},
      {"unsound-contains", "contains() looks into a text where a list is meant"},
      {"unsound-ternary", "a && b || c with a b that is false"},
      {"use-trusted-publishing", "A long-lived token publishes where OIDC would do"},
  };
  return rules;
}

namespace {

void lint_workflow(const Workflow& workflow, std::string_view text, const LintOptions& options,
                   LintReport& report) {
  lint_injection(workflow, report);
  lint_actions(workflow, options, report);
  lint_permissions(workflow, report);
  lint_triggers(workflow, report);
  lint_credentials(workflow, report);
  lint_supply(workflow, report);
  lint_secrets(workflow, report);
  lint_deployment(workflow, report);
  lint_images(workflow, options, report);
  lint_references(workflow, options, report);
  lint_types(workflow, report);
  lint_conditions(workflow, report);
  lint_forms(workflow, report);
  lint_habits(workflow, text, false, options, report);
  if (options.shellcheck) options.shellcheck(workflow, report);
}

// The steps of a composite action as a job, its inputs as those of a called workflow.
Workflow as_workflow(ActionFile action) {
  Workflow workflow;
  workflow.file = action.file;
  Trigger call;
  call.event = "workflow_call";
  for (const auto& input : action.inputs) {
    InputDefinition definition;
    definition.name = input.name;
    call.inputs.push_back(std::move(definition));
  }
  workflow.triggers.push_back(std::move(call));
  Job job;
  job.id = "runs";
  job.permissions.given = true;
  job.steps = std::move(action.steps);
  workflow.jobs.push_back(std::move(job));
  return workflow;
}

void lint_action(const Workflow& action, std::string_view text, const LintOptions& options,
                 LintReport& report) {
  lint_injection(action, report);
  lint_actions(action, options, report);
  lint_credentials(action, report);
  lint_supply(action, report);
  lint_secrets(action, report);
  lint_images(action, options, report);
  lint_references(action, options, report);
  lint_types(action, report);
  lint_conditions(action, report);
  lint_habits(action, text, true, options, report);
  if (options.shellcheck) options.shellcheck(action, report);
}

void add_syntax(const std::vector<Diagnostic>& diagnostics, LintReport& report) {
  for (const auto& one : diagnostics) {
    report.add(
        LintFinding{one.file, one.line, one.column, LintLevel::error, "syntax", one.message, ""});
  }
}

// "action" for a/b/action.yml.
std::string stem_of(const std::string& file) {
  auto name = file.substr(file.rfind('/') + 1);
  for (std::string_view extension : {".yml", ".yaml"}) {
    if (name.ends_with(extension)) return name.substr(0, name.size() - extension.size());
  }
  return "";
}

}  // namespace

std::vector<LintFinding> lint(std::string_view text, const std::string& file,
                              const LintOptions& options) {
  LintReport report(file);
  if (stem_of(file) == "dependabot") {
    lint_dependabot(text, file, report);
  } else if (stem_of(file) == "action") {
    auto read = read_action(text, file);
    add_syntax(read.diagnostics, report);
    if (read.ok()) lint_action(as_workflow(std::move(read.action)), text, options, report);
  } else {
    ReadOptions read_options;
    read_options.loader = options.loader;
    auto read = read_workflow(text, file, read_options);
    add_syntax(read.diagnostics, report);
    if (read.ok()) lint_workflow(read.workflow, text, options, report);
  }
  auto findings = report.take();
  drop_ignored(findings, text, file);
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const LintFinding& a, const LintFinding& b) {
                     if ((a.file == file) != (b.file == file)) return a.file == file;
                     if (a.file != b.file) return a.file < b.file;
                     return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                   });
  findings.erase(std::unique(findings.begin(), findings.end()), findings.end());
  return findings;
}

}  // namespace slipway::workflow
