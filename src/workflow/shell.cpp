// SPDX-License-Identifier: Apache-2.0
#include "workflow/shell.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {
namespace {

constexpr std::string_view kPwshBefore = "$ErrorActionPreference = 'stop'\n";
constexpr std::string_view kPwshAfter =
    "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }\n";

ShellPlan known(std::vector<std::string> argv, std::string extension) {
  return {.argv = std::move(argv), .extension = std::move(extension)};
}

}  // namespace

ShellPlan plan_shell(std::string_view shell, bool is_job_container,
                     const std::function<bool(std::string_view)>& exists) {
  auto text = trim(shell);
  if (text.empty()) {
    bool has_bash = !is_job_container && exists("bash");
    return known({has_bash ? "bash" : "sh", "-e", "{0}"}, ".sh");
  }
  if (text == "bash")
    return known({"bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "{0}"}, ".sh");
  if (text == "sh") return known({"sh", "-e", "{0}"}, ".sh");
  // GitHub's machines have a `python`; Debian's have it under its other name only.
  if (text == "python")
    return known({exists("python") || !exists("python3") ? "python" : "python3", "{0}"}, ".py");
  if (text == "pwsh" || text == "powershell") {
    return {.argv = {std::string(text), "-command", ". '{0}'"},
            .extension = ".ps1",
            .before = std::string(kPwshBefore),
            .after = std::string(kPwshAfter)};
  }
  if (text == "cmd") fail(Fault::bad_input, "shell 'cmd' exists on Windows only");
  if (text.find("{0}") == std::string_view::npos) {
    fail(Fault::bad_input,
         "Invalid shell option. Shell must be a valid built-in (bash, sh, cmd, powershell, pwsh) "
         "or a format "
         "string containing '{{0}}'");
  }
  auto argv = split_command_line(text);
  auto first = argv.front().substr(argv.front().rfind('/') + 1);
  std::string extension = first == "bash" || first == "sh" ? ".sh"
                          : first == "python"              ? ".py"
                          : first == "pwsh"                ? ".ps1"
                                                           : "";
  return {.argv = std::move(argv), .extension = std::move(extension)};
}

std::vector<std::string> with_script(const ShellPlan& plan, const std::string& script) {
  std::vector<std::string> argv;
  for (const auto& part : plan.argv) argv.push_back(replace_all(part, "{0}", script));
  return argv;
}

std::vector<std::string> split_command_line(std::string_view text) {
  std::vector<std::string> parts;
  std::string part;
  bool in_part = false;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && i + 1 < text.size() && text[i + 1] == '"') {
      part += '"';
      in_part = true;
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
      in_part = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
      if (in_part) parts.push_back(std::move(part));
      part.clear();
      in_part = false;
    } else {
      part += c;
      in_part = true;
    }
  }
  if (in_part) parts.push_back(std::move(part));
  return parts;
}

}  // namespace slipway::workflow
