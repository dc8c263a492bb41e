// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::workflow {

/// How a run: step's script is started.
struct ShellPlan {
  std::vector<std::string> argv;  ///< "{0}" where the script's path goes
  std::string extension;          ///< of the script file: ".sh", ".py", …
  std::string before;             ///< put before the script
  std::string after;              ///< put after it
};

/// The command line for `shell:` (empty: the default).
///   is_job_container  the default is then sh
///   exists            whether a program is in the job's PATH
///   throws            Error{bad_input} for a template without {0}
///   source            actions/runner ScriptHandlerHelpers.cs, ScriptHandler.cs; facts a.4
ShellPlan plan_shell(std::string_view shell, bool is_job_container,
                     const std::function<bool(std::string_view)>& exists);

/// "bash -e /tmp/x.sh": the command line with the script's path in it.
std::vector<std::string> with_script(const ShellPlan& plan, const std::string& script);

/// Splits a command line as .NET does for Process.Start: blanks separate, double quotes join, backslash escapes a quote.
std::vector<std::string> split_command_line(std::string_view text);

}  // namespace slipway::workflow
