// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

// Secrets: who gets them, and those that stand in the file.
namespace slipway::workflow {
namespace {

using Kind = ExpressionNode::Kind;

bool calls(const ExpressionNode& node, std::string_view name) {
  return node.kind == Kind::call && compare_ignoring_case(node.name, name) == 0;
}

void check_nodes(const Template& value, LintReport& report) {
  for_each_expression_node(value, [&](const ExpressionNode& node) {
    if (calls(node, "toJSON") && path_of(node.children[0]) == "secrets") {
      report.add(LintLevel::error, "overprovisioned-secrets", value.place,
                 "toJSON(secrets) gives every secret to one place",
                 "name the secrets that are needed");
    }
    bool is_computed = node.kind == Kind::index && path_of(node) == "secrets.*";
    if (is_computed) {
      report.add(LintLevel::warning, "overprovisioned-secrets", value.place,
                 "a computed name needs every secret at hand", "name the secrets that are needed");
    }
    if (calls(node, "fromJSON") && path_of(node.children[0]).starts_with("secrets.")) {
      report.add(LintLevel::warning, "unredacted-secrets", value.place,
                 fmt::format("the parts of '{}' are not masked in logs: only the whole secret is",
                             path_of(node.children[0])),
                 "keep one secret for each part, or ::add-mask:: them");
    }
  });
}

struct TokenForm {
  std::string_view start;
  std::size_t length;  // at least, with the start
  std::string_view what;
};
constexpr std::array<TokenForm, 12> kForms = {
    {{"ghp_", 40, "a GitHub token"},
     {"gho_", 40, "a GitHub token"},
     {"ghs_", 40, "a GitHub token"},
     {"github_pat_", 60, "a GitHub token"},
     {"AKIA", 20, "an AWS access key"},
     {"ASIA", 20, "an AWS access key"},
     {"xoxb-", 30, "a Slack token"},
     {"https://hooks.slack.com/services/T", 60, "a Slack webhook"},
     {"npm_", 40, "an npm token"},
     {"sk_live_", 30, "a Stripe key"},
     {"dckr_pat_", 30, "a Docker token"},
     {"pypi-AgE", 50, "a PyPI token"}}};

bool is_token_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '/' ||
         c == ':' || c == '.';
}

void check_text(const Template& value, LintReport& report) {
  const auto& text = value.text;
  for (const auto& form : kForms) {
    for (auto at = text.find(form.start); at != std::string::npos;
         at = text.find(form.start, at + 1)) {
      if (at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0) continue;
      auto end = at;
      while (end < text.size() && is_token_character(text[end])) ++end;
      if (end - at < form.length) continue;
      report.add(LintLevel::error, "hardcoded-credentials", value.place,
                 fmt::format("{} stands in the file", form.what),
                 "take it back where it was given, and keep the new one as a secret");
      return;
    }
  }
  if (text.find("-----BEGIN ") != std::string::npos &&
      text.find("PRIVATE KEY-----") != std::string::npos) {
    report.add(LintLevel::error, "hardcoded-credentials", value.place,
               "a private key stands in the file", "keep it as a secret");
  }
}

void check_texts(const Template& value, LintReport& report) {
  if (value.is_string() || value.is_expression()) check_text(value, report);
  for (const auto& item : value.items) check_texts(item, report);
  for (const auto& entry : value.entries) check_texts(entry.value, report);
}

void check_password(const Template& value, const std::string& what, LintReport& report) {
  if (!value.is_string() || value.text.empty()) return;
  report.add(LintLevel::error, "hardcoded-credentials", value.place,
             fmt::format("{} stands in the file", what),
             "keep it as a secret: ${{ secrets.NAME }}");
}

}  // namespace

void lint_secrets(const Workflow& workflow, LintReport& report) {
  for_each_template(workflow, [&](const Template& value, const Job*, const Step*) {
    check_nodes(value, report);
    check_texts(value, report);
  });
  for (const auto& job : workflow.jobs) {
    check_password(job.container["credentials"]["password"], "the registry's password", report);
    for (const auto& service : job.services.entries) {
      check_password(service.value["credentials"]["password"], "the registry's password", report);
    }
    for (const auto& step : job.steps) {
      if (action_name(step.uses) == "docker/login-action")
        check_password(step.with["password"], "the registry's password", report);
      for (const char* input : {"aws-secret-access-key", "github-token", "ssh-key", "token"}) {
        if (!step.uses.empty())
          check_password(step.with[input], fmt::format("'{}'", input), report);
      }
    }
  }
}

}  // namespace slipway::workflow
