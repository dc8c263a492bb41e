// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

// "bash", "sh" or "python"; empty for other languages and shells decided by an expression.
std::string shell_of(const Workflow& workflow, const Job& job, const Step& step) {
  for (const auto* shell : {&step.shell, &job.defaults.shell, &workflow.defaults.shell}) {
    if (shell->is_absent()) continue;
    if (shell->is_expression()) return "";
    auto first = split(shell->text, ' ')[0];
    return first == "bash" || first == "sh" || first == "python" ? first : "";
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

// Looks at the scripts of one workflow.
class ScriptCheck final {
 public:
  ScriptCheck(std::string_view text, const std::stop_token& stop, LintReport& report)
      : lines_(lines_of(text)), stop_(stop), report_(report) {
    has_shellcheck_ = os::find_program("shellcheck").has_value();
    for (const char* name : {"pyflakes3", "pyflakes"}) {
      if (pyflakes_.empty() && os::find_program(name)) pyflakes_ = name;
    }
  }

  void look_at(const Step& step, const std::string& shell) const {
    if (shell == "python") {
      if (!pyflakes_.empty()) run_pyflakes(step);
    } else if (has_shellcheck_ && !shell.empty()) {
      run_shellcheck(step, shell);
    }
  }

 private:
  [[nodiscard]] std::string output_of(const Step& step, std::vector<std::string> argv) const {
    auto captured =
        os::capture({.argv = std::move(argv)}, stop_, Deadline::in(std::chrono::seconds(20)),
                    without_expressions(step.run.text) + "\n");
    return captured.out + captured.err;
  }

  void run_shellcheck(const Step& step, const std::string& shell) const {
    // A literal comparison, a variable that is not set here: both come from the replacement, not from the author.
    auto said = output_of(step, {"shellcheck", "--norc", "--format=json", "--shell=" + shell,
                                 "--exclude=SC1091,SC2194,SC2050,SC2154,SC2157", "-"});
    if (said.empty()) return;
    ScriptPlace place(lines_, step.run.place);
    auto comments = formats::parse_json(said);
    for (const auto& comment : comments.as_array()) {
      report_.add(level_of(comment.get_string("level")), "shellcheck",
                  place.of(static_cast<int>(comment.get_int("line")),
                           static_cast<int>(comment.get_int("column"))),
                  fmt::format("SC{}: {}", comment.get_int("code"), comment.get_string("message")));
    }
  }

  // Its lines are "<stdin>:LINE:COLUMN: message", and after a syntax error the code with a mark below.
  void run_pyflakes(const Step& step) const {
    ScriptPlace place(lines_, step.run.place);
    auto said = output_of(step, {pyflakes_});
    for (auto line : lines_of(said)) {
      auto parts = split(line, ':');
      auto row = parts.size() < 4 || parts[0] != "<stdin>" ? std::nullopt : to_integer(parts[1]);
      auto column = row ? to_integer(parts[2]) : std::nullopt;
      if (!column) continue;
      auto message = join(std::span(parts).subspan(3), ":");
      // Words that stand for expressions are defined nowhere.
      if (message.find("undefined name '__") != std::string::npos) continue;
      report_.add(LintLevel::warning, "pyflakes",
                  place.of(static_cast<int>(*row), static_cast<int>(*column)),
                  std::string(trim(message)));
    }
  }

  std::vector<std::string_view> lines_;
  const std::stop_token& stop_;
  LintReport& report_;
  bool has_shellcheck_ = false;
  std::string pyflakes_;  // its program; empty: there is none
};

}  // namespace

void shellcheck(const Workflow& workflow, std::string_view text, const std::stop_token& stop,
                LintReport& report) {
  ScriptCheck check(text, stop, report);
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      if (step.is_run()) check.look_at(step, shell_of(workflow, job, step));
    }
  }
}

}  // namespace slipway::workflow
