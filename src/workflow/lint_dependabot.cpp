// SPDX-License-Identifier: Apache-2.0
#include "formats/yaml.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

void check_update(const formats::YamlNode& update, LintReport& report) {
  const auto* ecosystem = update.find("package-ecosystem");
  auto name = ecosystem && ecosystem->is_scalar() ? ecosystem->value : "";
  if (!update.find("cooldown")) {
    report.add(LintLevel::note, "dependabot-cooldown", {update.line, update.column},
               fmt::format("updates of '{}' are taken the hour they appear, before anybody has "
                           "looked at them",
                           name),
               "cooldown: {default-days: 7}");
  }
  const auto* execution = update.find("insecure-external-code-execution");
  if (execution && execution->value == "allow") {
    report.add(LintLevel::warning, "dependabot-execution", {execution->line, execution->column},
               fmt::format("Dependabot runs the code of '{}' packages, with its credentials", name),
               "insecure-external-code-execution: deny");
  }
}

}  // namespace

void lint_dependabot(std::string_view text, const std::string& file, LintReport& report) {
  auto document = formats::parse_yaml(text, file);
  for (const auto& one : document.diagnostics) {
    report.add(
        LintFinding{one.file, one.line, one.column, LintLevel::error, "syntax", one.message, ""});
  }
  if (!document.ok()) return;
  const auto* updates = document.root.find("updates");
  if (!updates) return;
  for (const auto& update : updates->items) check_update(update, report);
}

}  // namespace slipway::workflow
