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

void drop_ignored(std::vector<LintFinding>& findings, std::string_view text, const std::string& file) {
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
      {"template-injection", "Text that others write becomes part of a script"},
      {"secret-in-script", "A secret becomes part of a script, or all of them go to one place"},
      {"unpinned-action", "An action or workflow is named by something that can be moved to other code"},
      {"unknown-input", "An action is given an input it does not have"},
      {"missing-input", "An action is not given an input it requires"},
      {"secrets-inherit", "A called workflow gets every secret"},
      {"excessive-permissions", "A job's token may do more than it needs"},
      {"missing-permission", "A job lacks a permission its steps need"},
      {"exclusive-filters", "A trigger has a filter and its -ignore form"},
      {"dangerous-trigger", "A trigger gives strangers' code secrets or a writing token"},
      {"static-aws-keys", "Long-lived AWS keys are used where a role by OIDC would do"},
      {"latest-tag", "An image is built, pushed or deployed as :latest"},
      {"plain-secret", "A task definition holds a secret in plain text"},
      {"task-definition", "A task definition cannot be read"},
      {"ungated-deploy", "A job deploys what no test job has passed"},
      {"production-from-branch", "A branch, not a tag, reaches production"},
      {"unknown-reference", "An expression names a job, step, output or matrix key that does not exist"},
      {"shellcheck", "What shellcheck says about a script"},
  };
  return rules;
}

std::vector<LintFinding> lint(std::string_view text, const std::string& file, const LintOptions& options) {
  ReadOptions read_options;
  read_options.loader = options.loader;
  auto read = read_workflow(text, file, read_options);
  LintReport report(file);
  for (const auto& diagnostic : read.diagnostics) {
    report.add(LintFinding{diagnostic.file, diagnostic.line, diagnostic.column, LintLevel::error, "syntax", diagnostic.message, ""});
  }
  if (read.ok()) {
    const auto& workflow = read.workflow;
    lint_injection(workflow, report);
    lint_actions(workflow, options, report);
    lint_permissions(workflow, report);
    lint_triggers(workflow, report);
    lint_credentials(workflow, report);
    lint_deployment(workflow, report);
    lint_images(workflow, options, report);
    lint_references(workflow, report);
  }
  auto findings = report.take();
  drop_ignored(findings, text, file);
  std::stable_sort(findings.begin(), findings.end(), [&](const LintFinding& a, const LintFinding& b) {
    if ((a.file == file) != (b.file == file)) return a.file == file;
    if (a.file != b.file) return a.file < b.file;
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  findings.erase(std::unique(findings.begin(), findings.end()), findings.end());
  return findings;
}

}  // namespace slipway::workflow
