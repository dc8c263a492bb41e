// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.hpp"
#include "workflow/model.hpp"
#include "workflow/read_workflow.hpp"

namespace slipway::workflow {

enum class LintLevel { note, warning, error };
std::string_view name_of(LintLevel level);

/// One thing a workflow should do otherwise.
struct LintFinding {
  std::string file;
  int line = 0;  ///< 1-based; 0: the whole file
  int column = 0;
  LintLevel level = LintLevel::warning;
  std::string rule;     ///< "template-injection"; "syntax" for what makes the file no workflow
  std::string message;  ///< what is wrong
  std::string mend;     ///< what to do; may be empty
  bool operator==(const LintFinding&) const = default;
};

struct LintRule {
  std::string name;
  std::string summary;
};
/// Every rule there is, for SARIF and the manual.
const std::vector<LintRule>& lint_rules();

class LintReport;

struct LintOptions {
  WorkflowLoader loader;  ///< called workflows; may be empty
  /// Reads a file of the repository (task definitions, local actions); may be empty.
  std::function<std::optional<std::string>(const std::string& path)> read_file;
  /// Looks at the scripts with a program: see shellcheck(); may be empty.
  std::function<void(const Workflow&, LintReport&)> shellcheck;
  bool pedantic = false;  ///< also what only some mind
};

/// Reads a workflow (an action when the file is called action.yml, Dependabot's settings when it is dependabot.yml) and holds it against
/// every rule. A line with `# slipway: ignore[rule]`, or one directly below such a comment, is left alone by that rule.
///   returns  in order of the file; only "syntax" findings when it cannot be read
std::vector<LintFinding> lint(std::string_view text, const std::string& file,
                              const LintOptions& options);

/// shellcheck on every bash and sh script of a workflow and pyflakes on every Python script, with expressions replaced by as many
/// characters; nothing where they are not installed. Of a script in a `|` block each finding has its own line and column, of others the script's.
///   text    the file that the workflow was read from
void shellcheck(const Workflow& workflow, std::string_view text, const std::stop_token& stop,
                LintReport& report);

enum class LintFormat { text, json, sarif, github };
/// The findings of several files in a format; text has one line a finding and a line for its mend.
std::string report(const std::vector<LintFinding>& findings, LintFormat format);

}  // namespace slipway::workflow
