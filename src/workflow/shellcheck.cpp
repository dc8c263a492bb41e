// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"
#include "workflow/lint.hpp"

namespace slipway::workflow {
namespace {

// The shell of a step as shellcheck names it; empty for other languages and shells decided by an expression.
std::string shell_of(const Workflow& workflow, const Job& job, const Step& step) {
  for (const auto* shell : {&step.shell, &job.defaults.shell, &workflow.defaults.shell}) {
    if (shell->is_absent()) continue;
    if (shell->is_expression()) return "";
    auto first = split(shell->text, ' ')[0];
    return first == "bash" || first == "sh" ? first : "";
  }
  return "bash";
}

// Expressions become a word of the same number of lines, so that lines still fit.
std::string without_expressions(const std::string& text) {
  std::string result;
  std::size_t at = 0;
  for (auto open = text.find("${{"); open != std::string::npos; open = text.find("${{", at)) {
    auto close = text.find("}}", open);
    if (close == std::string::npos) break;
    result.append(text, at, open - at);
    result += "EXPRESSION";
    at = close + 2;
  }
  return result + text.substr(at);
}

LintLevel level_of(const std::string& name) { return name == "error" || name == "warning" ? LintLevel::warning : LintLevel::note; }

void check_step(const Workflow& workflow, const Job& job, const Step& step, const std::stop_token& stop,
                std::vector<LintFinding>& findings) {
  auto shell = shell_of(workflow, job, step);
  if (shell.empty()) return;
  // An expression alone on a line, a literal comparison: both come from the replacement, not from the author.
  auto captured = os::capture({.argv = {"shellcheck", "--norc", "--format=json", "--shell=" + shell,
                                        "--exclude=SC1091,SC2194,SC2050,SC2154,SC2157", "-"}},
                              stop, Deadline::in(std::chrono::seconds(20)), without_expressions(step.run.text) + "\n");
  if (captured.out.empty()) return;
  auto comments = formats::parse_json(captured.out);
  for (const auto& comment : comments.as_array()) {
    findings.push_back({workflow.file, step.run.place.line + static_cast<int>(comment.get_int("line")), 0,
                        level_of(comment.get_string("level")), "shellcheck",
                        fmt::format("SC{}: {}", comment.get_int("code"), comment.get_string("message")), ""});
  }
}

}  // namespace

std::vector<LintFinding> shellcheck(const Workflow& workflow, const std::stop_token& stop) {
  std::vector<LintFinding> findings;
  if (!os::find_program("shellcheck")) return findings;
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      if (step.is_run()) check_step(workflow, job, step, stop, findings);
    }
  }
  return findings;
}

}  // namespace slipway::workflow
