// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "workflow/expr_ast.hpp"
#include "workflow/lint.hpp"
#include "workflow/model.hpp"

// The rules, by what they look after. Each is pure but for LintOptions' readers.
namespace slipway::workflow {

/// Collects findings of one file.
class LintReport final {
 public:
  explicit LintReport(std::string file) : file_(std::move(file)) {}
  void add(LintLevel level, std::string rule, Place place, std::string message,
           std::string mend = "") {
    findings_.push_back({file_, place.line, place.column, level, std::move(rule),
                         std::move(message), std::move(mend)});
  }
  void add(LintFinding finding) { findings_.push_back(std::move(finding)); }
  [[nodiscard]] std::vector<LintFinding> take() { return std::move(findings_); }

 private:
  std::string file_;
  std::vector<LintFinding> findings_;
};

// What strangers may do through the workflow, and what it gives away.
void lint_injection(const Workflow& workflow, LintReport& report);
void lint_actions(const Workflow& workflow, const LintOptions& options, LintReport& report);
void lint_permissions(const Workflow& workflow, LintReport& report);
void lint_triggers(const Workflow& workflow, LintReport& report);
void lint_credentials(const Workflow& workflow, LintReport& report);
void lint_supply(const Workflow& workflow, LintReport& report);
void lint_secrets(const Workflow& workflow, LintReport& report);
// What reaches production, and how.
void lint_deployment(const Workflow& workflow, LintReport& report);
void lint_images(const Workflow& workflow, const LintOptions& options, LintReport& report);
// Names that lead nowhere.
void lint_references(const Workflow& workflow, const LintOptions& options, LintReport& report);
// What expressions and values cannot mean.
void lint_types(const Workflow& workflow, LintReport& report);
void lint_conditions(const Workflow& workflow, LintReport& report);
void lint_forms(const Workflow& workflow, LintReport& report);
// What works and is done better otherwise. `text` is the file's.
void lint_habits(const Workflow& workflow, std::string_view text, bool is_action,
                 const LintOptions& options, LintReport& report);
// .github/dependabot.yml.
void lint_dependabot(std::string_view text, const std::string& file, LintReport& report);

/// Calls `visit(template, step or null, job or null)` for every template of a workflow that may hold expressions.
using TemplateVisitor = std::function<void(const Template&, const Job*, const Step*)>;
void for_each_template(const Workflow& workflow, const TemplateVisitor& visit);
/// Calls `visit` for every node of every expression in a template.
void for_each_expression_node(const Template& value,
                              const std::function<void(const ExpressionNode&)>& visit);

/// The action.yml of a local action ("./…"), when `options` can read it and it is one.
std::optional<ActionFile> local_action(const std::string& uses, const LintOptions& options);
/// "owner/repo" in lower case of `uses:`, without path and ref; empty for ./ and docker://.
std::string action_name(const std::string& uses);
/// Whether a job puts something into an environment: by its actions, its commands, or its `environment`.
bool deploys(const Job& job);
/// The step that does it; nullptr when only `environment` says so.
const Step* deploying_step(const Job& job);

}  // namespace slipway::workflow
