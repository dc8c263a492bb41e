// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"
#include "workflow/lint_rules.hpp"

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

// Expressions become words of as many characters on as many lines, so that places still fit.
std::string without_expressions(std::string text) {
  std::size_t at = 0;
  for (auto open = text.find("${{"); open != std::string::npos; open = text.find("${{", at)) {
    auto close = text.find("}}", open);
    if (close == std::string::npos) break;
    for (auto i = open; i < close + 2; ++i) {
      if (text[i] != '\n') text[i] = '_';
    }
    at = close + 2;
  }
  return text;
}

LintLevel level_of(const std::string& name) {
  return name == "error" || name == "warning" ? LintLevel::warning : LintLevel::note;
}

// Where the lines of a script stand in the file.
class ScriptPlace final {
 public:
  ScriptPlace(const std::vector<std::string_view>& lines, Place start) : start_(start) {
    auto line = at(lines, start.line);
    auto column = static_cast<std::size_t>(std::max(start.column, 1) - 1);
    if (column >= line.size() || line[column] != '|') return;
    // The block's indentation is that of its first line with text.
    for (int number = start.line + 1; number <= static_cast<int>(lines.size()); ++number) {
      auto inner = at(lines, number);
      auto indent = inner.find_first_not_of(' ');
      if (indent == std::string_view::npos || trim(inner).empty()) continue;
      indent_ = static_cast<int>(indent);
      is_block_ = true;
      return;
    }
  }

  [[nodiscard]] Place of(int line, int column) const {
    return is_block_ ? Place{start_.line + line, indent_ + column} : start_;
  }

 private:
  static std::string_view at(const std::vector<std::string_view>& lines, int number) {
    auto index = static_cast<std::size_t>(number - 1);
    return number > 0 && index < lines.size() ? lines[index] : std::string_view();
  }

  Place start_;
  bool is_block_ = false;
  int indent_ = 0;
};

}  // namespace

void shellcheck(const Workflow& workflow, std::string_view text, const std::stop_token& stop,
                LintReport& report) {
  if (!os::find_program("shellcheck")) return;
  const auto lines = lines_of(text);
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      auto shell = step.is_run() ? shell_of(workflow, job, step) : "";
      if (shell.empty()) continue;
      // A literal comparison, a variable that is not set here: both come from the replacement, not from the author.
      auto captured = os::capture(
          {.argv = {"shellcheck", "--norc", "--format=json", "--shell=" + shell,
                    "--exclude=SC1091,SC2194,SC2050,SC2154,SC2157", "-"}},
          stop, Deadline::in(std::chrono::seconds(20)), without_expressions(step.run.text) + "\n");
      if (captured.out.empty()) continue;
      ScriptPlace place(lines, step.run.place);
      auto comments = formats::parse_json(captured.out);
      for (const auto& comment : comments.as_array()) {
        report.add(level_of(comment.get_string("level")), "shellcheck",
                   place.of(static_cast<int>(comment.get_int("line")),
                            static_cast<int>(comment.get_int("column"))),
                   fmt::format("SC{}: {}", comment.get_int("code"), comment.get_string("message")));
      }
    }
  }
}

}  // namespace slipway::workflow
