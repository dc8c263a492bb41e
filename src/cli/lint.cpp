// SPDX-License-Identifier: Apache-2.0
#include "workflow/lint.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "git/git.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

workflow::LintFormat format_of(const std::string& name) {
  if (name == "text") return workflow::LintFormat::text;
  if (name == "json") return workflow::LintFormat::json;
  if (name == "sarif") return workflow::LintFormat::sarif;
  if (name == "github") return workflow::LintFormat::github;
  fail(Fault::bad_input, "--format is text, json, sarif or github, not '{}'", name);
}

std::vector<fs::path> files_of(const Invocation& given, const fs::path& top) {
  if (!given.arguments.empty()) return {given.arguments.begin(), given.arguments.end()};
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(top / ".github/workflows", none)) {
    auto extension = entry.path().extension();
    if (extension == ".yml" || extension == ".yaml") files.push_back(entry.path());
  }
  for (const char* name : {"dependabot.yml", "dependabot.yaml"}) {
    if (auto path = top / ".github" / name; !files.empty() && fs::exists(path))
      files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  if (files.empty())
    fail(Fault::bad_input, "no workflow in '{}'", (top / ".github/workflows").string());
  return files;
}

// As seen from where the user is.
std::string shown_path(const fs::path& file, const fs::path& cwd) {
  auto relative = fs::absolute(file).lexically_normal().lexically_relative(cwd);
  return relative.empty() ? file.string() : relative.string();
}

int run_lint(const Invocation& given, Surroundings& around) {
  auto format = format_of(given.value_or("--format", around.json ? "json" : "text"));
  auto top = git::top_level(around.cwd, around.stop).value_or(around.cwd);
  workflow::LintOptions options;
  options.pedantic = given.has("--pedantic");
  options.read_file = [&](const std::string& path) { return os::read_file_if_exists(top / path); };
  options.loader = [&](const std::string& uses) -> std::optional<std::string> {
    if (!uses.starts_with("./")) return std::nullopt;
    return os::read_file_if_exists(top / uses.substr(2));
  };
  std::vector<workflow::LintFinding> findings;
  for (const auto& path : files_of(given, top)) {
    auto text = os::read_file(path);
    auto file = shown_path(path, around.cwd);
    if (!given.has("--no-shellcheck")) {
      options.shellcheck = [&](const workflow::Workflow& read, workflow::LintReport& report) {
        workflow::shellcheck(read, text, around.stop, report);
      };
    }
    for (auto& finding : workflow::lint(text, file, options))
      findings.push_back(std::move(finding));
  }
  print(workflow::report(findings, format));
  auto has = [&](workflow::LintLevel level) {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const auto& one) { return one.level == level; });
  };
  bool fails = has(workflow::LintLevel::error) ||
               (given.has("--strict") && has(workflow::LintLevel::warning));
  return fails ? 1 : 0;
}

}  // namespace

Verb lint_verb() {
  return {.name = "lint",
          .usage = "[FILE…] [--format text|json|sarif|github]",
          .summary = "errors, risks and bad habits in workflows",
          .options = {{"--format", Option::Kind::value, "FORMAT",
                       "text (default), json, sarif or github"},
                      {"--pedantic", Option::Kind::flag, "", "also what only some mind"},
                      {"--strict", Option::Kind::flag, "", "warnings fail, too"},
                      {"--no-shellcheck", Option::Kind::flag, "", "leaves scripts to themselves"}},
          .run = run_lint};
}

}  // namespace slipway::cli
