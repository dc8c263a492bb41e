// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

// Conditions that do not say what they seem to.
namespace slipway::workflow {
namespace {

using Kind = ExpressionNode::Kind;

bool is_call(const ExpressionNode& node, std::string_view name) {
  return node.kind == Kind::call && compare_ignoring_case(node.name, name) == 0;
}

// Text around `${{ }}` makes all of it a format() whose result is never empty: true.
bool is_never_empty(const ExpressionNode& node) {
  if (!is_call(node, "format") || node.children[0].kind != Kind::literal) return false;
  auto text = node.children[0].literal.to_string();
  for (std::size_t i = 0; i + 1 < node.children.size(); ++i) {
    text = replace_all(std::move(text), fmt::format("{{{}}}", i), "");
  }
  return !text.empty();
}

// The condition as written: without the success() that is put before it.
const ExpressionNode* written(const Condition& condition) {
  const auto* root = condition.expression.root();
  if (root == nullptr || root->kind != Kind::conjunction || root->children.size() != 2) return root;
  return is_call(root->children[0], "success") ? &root->children[1] : root;
}

void check_text(const Condition& condition, LintReport& report) {
  const auto* root = written(condition);
  if (root != nullptr && is_never_empty(*root)) {
    report.add(LintLevel::error, "unsound-condition", condition.place,
               "the condition is always true: text around '${{ }}' makes it a text, and only an "
               "empty one is false",
               "put all of it inside one ${{ }}, or leave the marks out; in a block use '|-'");
    return;
  }
  auto text = std::string(trim(condition.text));
  if (text.starts_with("${{") && text.ends_with("}}"))
    text = std::string(trim(text.substr(3, text.size() - 5)));
  if (text != "true" && text != "false") return;
  report.add(LintLevel::note, "constant-condition", condition.place,
             fmt::format("the condition is always {}", text));
}

bool is_falsy_literal(const ExpressionNode& node) {
  return node.kind == Kind::literal && !node.literal.is_truthy();
}

void check_ternary(const ExpressionNode& node, Place place, LintReport& report) {
  if (node.kind != Kind::disjunction) return;
  const auto& first = node.children[0];
  if (first.kind != Kind::conjunction || first.children.size() < 2 ||
      !is_falsy_literal(first.children.back()))
    return;
  report.add(LintLevel::warning, "unsound-ternary", place,
             "'a && b || c' gives c whenever b is '', 0, false or null, as here",
             "use case(a, b, c), or turn the condition round");
}

void check_contains(const ExpressionNode& node, Place place, LintReport& report) {
  if (!is_call(node, "contains") || node.children.size() != 2) return;
  const auto& in = node.children[0];
  if (in.kind != Kind::literal || !in.literal.is_string() || path_of(node.children[1]).empty())
    return;
  report.add(LintLevel::warning, "unsound-contains", place,
             fmt::format("contains('{}', {}) looks for a part of a text: whoever chooses the value "
                         "can match it by a shorter one",
                         in.literal.string(), path_of(node.children[1])),
             "compare with a list: contains(fromJSON('[\"a\", \"b\"]'), …)");
}

void check_bot(const ExpressionNode& node, Place place, LintReport& report) {
  if (node.kind != Kind::equal && node.kind != Kind::not_equal) return;
  for (int side = 0; side < 2; ++side) {
    const auto& who = node.children[static_cast<std::size_t>(side)];
    const auto& name = node.children[static_cast<std::size_t>(1 - side)];
    auto path = path_of(who);
    if ((path != "github.actor" && path != "github.triggering_actor") || name.kind != Kind::literal)
      continue;
    if (!name.literal.is_string() || !name.literal.string().ends_with("[bot]")) continue;
    report.add(LintLevel::warning, "bot-conditions", place,
               fmt::format("'{}' is who started the run last, not who wrote the change: it can be "
                           "made to look like a bot",
                           path),
               "ask for github.event.pull_request.user.login");
  }
}

void check_nodes(const ExpressionNode* root, Place place, LintReport& report) {
  if (root == nullptr) return;
  for_each_node(*root, [&](const ExpressionNode& node) {
    check_ternary(node, place, report);
    check_contains(node, place, report);
    check_bot(node, place, report);
  });
}

void check_template(const Template& value, LintReport& report) {
  if (value.is_expression()) check_nodes(value.expression.root(), value.place, report);
  for (const auto& item : value.items) check_template(item, report);
  for (const auto& entry : value.entries) {
    check_template(entry.key, report);
    check_template(entry.value, report);
  }
}

void check_condition(const Condition& condition, LintReport& report) {
  check_text(condition, report);
  check_nodes(condition.expression.root(), condition.place, report);
}

}  // namespace

void lint_conditions(const Workflow& workflow, LintReport& report) {
  for_each_template(workflow, [&](const Template& value, const Job*, const Step*) {
    check_template(value, report);
  });
  for (const auto& job : workflow.jobs) {
    check_condition(job.condition, report);
    for (const auto& step : job.steps) check_condition(step.condition, report);
  }
}

}  // namespace slipway::workflow
