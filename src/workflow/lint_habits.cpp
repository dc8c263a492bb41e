// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "workflow/known_actions.hpp"
#include "workflow/lint_rules.hpp"

// What works, and is done better otherwise. The rules carry zizmor's names.
namespace slipway::workflow {
namespace {

using Words = std::vector<std::string>;

struct Superfluous {
  std::string_view action;
  std::string_view instead;
};
// What GitHub's machines bring along.
constexpr std::array<Superfluous, 10> kSuperfluous = {{
    {"softprops/action-gh-release", "gh release create"},
    {"ncipollo/release-action", "gh release create"},
    {"actions/create-release", "gh release create"},
    {"svenstaro/upload-release-action", "gh release upload"},
    {"peter-evans/create-pull-request", "gh pr create"},
    {"peter-evans/create-or-update-comment", "gh issue comment"},
    {"dtolnay/rust-toolchain", "rustup toolchain install"},
    {"actions-rs/toolchain", "rustup toolchain install"},
    {"addnab/docker-run-action", "docker run"},
    {"dawidd6/action-send-mail", "a step of your own"},
}};

// Popular actions beside those whose inputs are known here.
constexpr std::array<std::string_view, 12> kPopular = {"actions/labeler",
                                                       "actions/stale",
                                                       "actions/attest",
                                                       "github/codeql-action",
                                                       "docker/bake-action",
                                                       "codecov/codecov-action",
                                                       "pypa/gh-action-pypi-publish",
                                                       "softprops/action-gh-release",
                                                       "astral-sh/setup-uv",
                                                       "pnpm/action-setup",
                                                       "hashicorp/setup-terraform",
                                                       "golangci/golangci-lint-action"};

// A name that is one slip away from one that many use.
std::string meant_instead(const std::string& name) {
  if (name.empty() || known_action(name + "@v1") != nullptr) return "";
  for (auto popular : kPopular) {
    if (popular == name) return "";
  }
  auto near = nearest_known_action(name);
  if (!near.empty()) return near;
  for (auto popular : kPopular) {
    if (edit_distance(popular, name) == 1) return std::string(popular);
  }
  return "";
}

void check_action_used(const Step& step, LintReport& report) {
  auto name = action_name(step.uses);
  if (name.empty()) return;
  if (auto meant = meant_instead(name); !meant.empty()) {
    report.add(LintLevel::warning, "typosquat-uses", step.uses_place,
               fmt::format("'{}' looks like '{}', and is another's", name, meant),
               fmt::format("use {}, if that is what is meant", meant));
  }
  for (const auto& one : kSuperfluous) {
    if (one.action != name) continue;
    report.add(LintLevel::note, "superfluous-actions", step.uses_place,
               fmt::format("'{}' does what the machine can without it", name),
               fmt::format("run: {}", one.instead));
  }
  if (name == "actions/setup-python" && !step.with["pip-install"].is_absent()) {
    report.add(LintLevel::warning, "misfeature", step.with["pip-install"].place,
               "pip-install installs into the machine's own Python, past any virtual environment",
               "run pip in a step");
  }
  for (const auto& entry : step.with.entries) {
    auto key = to_lower(entry.key.text);
    if (!key.ends_with("version") || to_lower(entry.value.literal()) != "latest") continue;
    report.add(LintLevel::note, "unpinned-tools", entry.value.place,
               fmt::format("'{}' takes whatever version is the latest today", name),
               fmt::format("name one: {}: 1.2.3", entry.key.text));
  }
}

void check_misfeatures(const Template& shell, LintReport& report) {
  if (shell.is_string() && shell.text == "cmd")
    report.add(LintLevel::warning, "misfeature", shell.place,
               "cmd goes on after a command that failed, and quotes nothing", "use pwsh or bash");
}

bool is_option(const std::string& word) { return word.starts_with('-'); }

bool is_place(const std::string& word) {
  return word.starts_with('.') || word.starts_with('/') || word.starts_with("$") ||
         word.starts_with("git+") || word.find("://") != std::string::npos;
}

// The first package that a command installs by its name, past every lock file.
std::string package_installed(const Words& words) {
  static const std::map<std::string, Words, std::less<>> kInstalls = {
      {"npm", {"install", "i", "add"}},
      {"pnpm", {"add"}},
      {"yarn", {"add"}},
      {"pip", {"install"}},
      {"pip3", {"install"}},
      {"gem", {"install"}},
      {"cargo", {"install"}},
      {"go", {"install"}}};
  auto word = words.begin();
  while (word != words.end() && (*word == "sudo" || word->find('=') != std::string::npos)) ++word;
  if (words.end() - word > 3 && word->starts_with("python") && *(word + 1) == "-m") word += 2;
  if (word == words.end()) return "";
  auto found = kInstalls.find(*word);
  if (found == kInstalls.end()) return "";
  bool is_pip = word->starts_with("pip");
  ++word;
  while (word != words.end() && is_option(*word)) ++word;
  if (word == words.end() ||
      std::find(found->second.begin(), found->second.end(), *word) == found->second.end())
    return "";
  std::string package;
  for (++word; word != words.end(); ++word) {
    bool names_file = *word == "-r" || *word == "-c" || *word == "-e" || *word == "--requirement" ||
                      *word == "--constraint" || *word == "--editable";
    if (*word == "--require-hashes" || *word == "--locked") return "";
    if (is_pip && names_file) {
      if (++word == words.end()) break;
    } else if (!is_option(*word) && !is_place(*word) && package.empty()) {
      package = *word;
    }
  }
  return package == "pip" ? "" : package;  // its own update
}

void check_packages(const Step& step, LintReport& report) {
  auto script = step.run.text;
  for (const char* end : {"&&", "||", ";", "|"}) script = replace_all(script, end, "\n");
  for (auto line : lines_of(script)) {
    auto text = trim(line);
    if (text.find("install") == std::string_view::npos &&
        text.find("add ") == std::string_view::npos && text.find(" i ") == std::string_view::npos)
      continue;
    auto words = split(text, ' ');
    std::erase(words, "");
    auto package = package_installed(words);
    if (package.empty()) continue;
    report.add(
        LintLevel::note, "adhoc-packages", step.run.place,
        fmt::format("'{}' is installed past the lock file: another version any day", package),
        "put it into the project's dependencies and install from the lock file");
  }
}

// `uses: a/b@SHA # v1.2.3` in two places that do not agree. Which of them lies only the server knows.
void check_versions(const Workflow& workflow, const std::vector<std::string_view>& lines,
                    LintReport& report) {
  std::map<std::string, std::pair<std::string, int>> known;  // "a/b v1" -> commit, line
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      auto at = step.uses.find('@');
      auto index = static_cast<std::size_t>(step.uses_place.line - 1);
      if (at == std::string::npos || step.uses.size() - at != 41 || index >= lines.size()) continue;
      auto comment = lines[index].rfind(" #");
      if (comment == std::string_view::npos) continue;
      auto words = split(trim(lines[index].substr(comment + 2)), ' ');
      if (words[0].size() < 2 || words[0][0] != 'v') continue;
      auto commit = step.uses.substr(at + 1);
      auto [one, is_new] =
          known.try_emplace(action_name(step.uses) + " " + words[0], commit, step.uses_place.line);
      if (is_new || one->second.first == commit) continue;
      report.add(LintLevel::warning, "ref-version-mismatch", step.uses_place,
                 fmt::format("'{}' is another commit in line {}", words[0], one->second.second),
                 "look up which commit the tag is, and name it in both places");
    }
  }
}

// The rest is asked for by `--pedantic`.
void check_secret_environment(const Job& job, LintReport& report) {
  if (!job.environment.is_absent() || job.is_call()) return;
  for (const auto& step : job.steps) {
    for (const auto* part : {&step.env, &step.with, &step.run}) {
      for_each_expression_node(*part, [&](const ExpressionNode& node) {
        auto parts = split(path_of(node), '.');
        if (parts.size() != 2 || parts[0] != "secrets" || parts[1] == "*" ||
            equals_ignoring_case(parts[1], "GITHUB_TOKEN"))
          return;
        report.add(LintLevel::note, "secrets-outside-env", part->place,
                   fmt::format("every branch's workflow reaches secrets.{}", parts[1]),
                   "keep it in an environment, whose branches and reviewers you choose");
      });
    }
  }
}

void check_comments(const Permissions& permissions, const std::vector<std::string_view>& lines,
                    LintReport& report) {
  if (!permissions.given || permissions.scopes.empty()) return;
  auto is_scope = [&](std::string_view text) {
    auto colon = text.find(':');
    return colon != std::string_view::npos &&
           permissions.scopes.contains(std::string(trim(text.substr(0, colon))));
  };
  for (auto index = static_cast<std::size_t>(std::max(permissions.place.line - 1, 0));
       index < lines.size(); ++index) {
    auto text = trim(lines[index]);
    if (text.empty() || text.starts_with('#')) continue;
    if (!is_scope(text)) break;
    bool is_told = text.find('#') != std::string_view::npos ||
                   (index > 0 && trim(lines[index - 1]).starts_with('#'));
    if (is_told || text == "contents: read") continue;
    report.add(LintLevel::note, "undocumented-permissions",
               {static_cast<int>(index) + 1, permissions.place.column},
               fmt::format("nothing says what '{}' is for", text), "say it in a comment");
  }
}

}  // namespace

void lint_habits(const Workflow& workflow, std::string_view text, bool is_action,
                 const LintOptions& options, LintReport& report) {
  auto lines = lines_of(text);
  check_misfeatures(workflow.defaults.shell, report);
  for (const auto& job : workflow.jobs) {
    check_misfeatures(job.defaults.shell, report);
    for (const auto& step : job.steps) {
      check_action_used(step, report);
      check_misfeatures(step.shell, report);
      if (step.is_run()) check_packages(step, report);
    }
  }
  check_versions(workflow, lines, report);
  if (!options.pedantic) return;
  if (!is_action && workflow.name.is_absent()) {
    report.add(LintLevel::note, "anonymous-definition", {1, 1}, "the workflow has no name",
               "name: what it is for");
  }
  check_comments(workflow.permissions, lines, report);
  for (const auto& job : workflow.jobs) {
    check_comments(job.permissions, lines, report);
    check_secret_environment(job, report);
    for (const auto& step : job.steps) {
      if (!is_action || !step.uses.starts_with("./")) continue;
      report.add(
          LintLevel::note, "self-repository", step.uses_place,
          fmt::format("'{}' is looked for in the repository of whoever uses the action", step.uses),
          fmt::format("uses: ${}", step.uses.substr(1)));
    }
  }
}

}  // namespace slipway::workflow
