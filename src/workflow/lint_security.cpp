// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "workflow/known_actions.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

// Text that whoever opens an issue or pushes a branch writes as they like ('*' is any one part).
constexpr std::string_view kUntrusted[] = {
    "github.head_ref",
    "github.event.issue.title",
    "github.event.issue.body",
    "github.event.pull_request.title",
    "github.event.pull_request.body",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.comment.body",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.discussion.title",
    "github.event.discussion.body",
    "github.event.pages.*.page_name",
    "github.event.commits.*.message",
    "github.event.commits.*.author.email",
    "github.event.commits.*.author.name",
    "github.event.head_commit.message",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.message",
    "github.event.workflow_run.head_commit.author.email",
    "github.event.workflow_run.head_commit.author.name",
    "github.event.workflow_run.pull_requests.*.head.ref",
};

bool covers(std::string_view pattern, std::string_view path) {
  for (;;) {
    auto a = pattern.substr(0, pattern.find('.'));
    auto b = path.substr(0, path.find('.'));
    if (a != b && a != "*" && b != "*") return false;
    if (a.size() == pattern.size() || b.size() == path.size())
      return a.size() == pattern.size() && b.size() == path.size();
    pattern.remove_prefix(a.size() + 1);
    path.remove_prefix(b.size() + 1);
  }
}

bool is_untrusted(const std::string& path) {
  return std::any_of(std::begin(kUntrusted), std::end(kUntrusted),
                     [&](auto pattern) { return covers(pattern, path); });
}

// Chosen by people with write access, yet free enough to hold shell syntax.
bool is_loose(const std::string& path) {
  return path == "github.ref_name" || path.starts_with("inputs.") ||
         path.starts_with("github.event.inputs.");
}

// Reports each path of an expression that becomes part of a script.
void check_script(const Template& script, const std::string& what, LintReport& report) {
  std::set<std::string> told;
  for_each_expression_node(script, [&](const ExpressionNode& node) {
    auto path = path_of(node);
    if (path.empty() || !told.insert(path).second) return;
    auto mend =
        fmt::format("put it into env (NAME: ${{{{ {} }}}}) and use \"$NAME\" in the script", path);
    if (is_untrusted(path)) {
      report.add(LintLevel::error, "template-injection", script.place,
                 fmt::format("'{}' is written by strangers and becomes part of {}", path, what),
                 mend);
    } else if (is_loose(path)) {
      report.add(LintLevel::warning, "template-injection", script.place,
                 fmt::format("'{}' can hold shell syntax and becomes part of {}", path, what),
                 mend);
    } else if (path.starts_with("secrets.")) {
      report.add(LintLevel::warning, "secret-in-script", script.place,
                 fmt::format("the text of '{}' becomes part of {}", path, what), mend);
    }
  });
}

bool is_commit(const std::string& ref) {
  return ref.size() == 40 && ref.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_branch_like(const std::string& ref) {
  return ref == "main" || ref == "master" || ref == "develop" || ref == "HEAD" || ref == "latest";
}

void check_pin(const std::string& uses, Place place, LintReport& report) {
  if (uses.starts_with("./") || uses.starts_with("$/") || uses.empty()) return;
  if (uses.starts_with("docker://")) {
    if (uses.find("@sha256:") == std::string::npos) {
      report.add(LintLevel::note, "unpinned-uses", place,
                 fmt::format("'{}' is not pinned to a digest", uses),
                 "use docker://image@sha256:…");
    }
    return;
  }
  auto ref = uses.substr(uses.find('@') + 1);
  if (is_commit(ref)) return;
  auto owner = to_lower(uses.substr(0, uses.find('/')));
  bool is_official =
      owner == "actions" || owner == "github" || owner == "aws-actions" || owner == "docker";
  report.add(
      is_branch_like(ref) || !is_official ? LintLevel::warning : LintLevel::note, "unpinned-uses",
      place,
      fmt::format("'{}' is named by {}, which can be moved to other code", uses,
                  is_branch_like(ref) ? "a branch" : "a tag"),
      "name the commit: " + uses.substr(0, uses.find('@')) + "@<40 hexadecimal digits> # " + ref);
}

// The inputs of a local action (from its file) or a known one, and those it cannot do without.
struct Inputs {
  std::vector<std::string> names;
  std::vector<std::string> required;
};

std::optional<Inputs> inputs_of(const std::string& uses, const LintOptions& options) {
  Inputs inputs;
  if (const auto* known = known_action(uses)) return Inputs{known->inputs, known->required};
  auto action = local_action(uses, options);
  if (!action) return std::nullopt;
  for (const auto& input : action->inputs) {
    inputs.names.push_back(input.name);
    if (input.required && input.standard.is_absent()) inputs.required.push_back(input.name);
  }
  return inputs;
}

void check_inputs(const Step& step, const LintOptions& options, LintReport& report) {
  auto inputs = inputs_of(step.uses, options);
  if (!inputs || step.with.is_expression()) return;
  const auto& names = inputs->names;
  for (const auto& entry : step.with.entries) {
    if (!entry.key.is_string() || entry.is_insert) return;
    bool is_known = std::any_of(names.begin(), names.end(), [&](const auto& name) {
      return compare_ignoring_case(name, entry.key.text) == 0;
    });
    if (is_known) continue;
    report.add(LintLevel::warning, "unknown-input", entry.key.place,
               fmt::format("'{}' has no input '{}'", step.uses, entry.key.text),
               names.empty() ? "it has none" : "its inputs are " + join(names, ", "));
  }
  for (const auto& name : inputs->required) {
    if (!step.with[name].is_absent()) continue;
    report.add(LintLevel::warning, "missing-input", step.uses_place,
               fmt::format("'{}' requires the input '{}'", step.uses, name));
  }
}

// A local action that is not there can only come from another checkout.
void check_exists(const Workflow& workflow, const Step& step, const LintOptions& options,
                  LintReport& report) {
  if (!options.read_file || !step.uses.starts_with("./") || workflow.file.empty()) return;
  auto directory = step.uses.substr(2);
  while (directory.ends_with('/')) directory.pop_back();
  if (!directory.empty()) directory += '/';
  for (const char* name : {"action.yml", "action.yaml", "Dockerfile"}) {
    if (options.read_file(directory + name)) return;
  }
  report.add(LintLevel::warning, "unknown-action", step.uses_place,
             fmt::format("there is no action in '{}'", step.uses),
             "it must be in the repository, or be made by an earlier step");
}

bool needs_id_token(const Job& job) {
  return std::any_of(job.steps.begin(), job.steps.end(), [](const Step& step) {
    return !step.with["role-to-assume"].is_absent() ||
           !step.with["workload_identity_provider"].is_absent();
  });
}

}  // namespace

std::optional<ActionFile> local_action(const std::string& uses, const LintOptions& options) {
  if (!options.read_file || !uses.starts_with("./")) return std::nullopt;
  auto directory = uses.substr(2);
  while (directory.ends_with('/')) directory.pop_back();
  if (!directory.empty()) directory += '/';
  for (const char* name : {"action.yml", "action.yaml"}) {
    auto text = options.read_file(directory + name);
    if (!text) continue;
    auto read = read_action(*text, directory + name);
    if (read.ok()) return std::move(read.action);
  }
  return std::nullopt;
}

void lint_injection(const Workflow& workflow, LintReport& report) {
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      check_script(step.run, "the script", report);
      if (action_name(step.uses) == "actions/github-script")
        check_script(step.with["script"], "the JavaScript", report);
    }
  }
}

void lint_actions(const Workflow& workflow, const LintOptions& options, LintReport& report) {
  for (const auto& job : workflow.jobs) {
    check_pin(job.uses, job.uses_place, report);
    if (job.secrets.inherit && job.is_call()) {
      report.add(LintLevel::warning, "secrets-inherit", job.uses_place,
                 fmt::format("job '{}' gives all its secrets to '{}'", job.id, job.uses),
                 "pass the secrets it needs by name");
    }
    for (const auto& step : job.steps) {
      check_pin(step.uses, step.uses_place, report);
      check_inputs(step, options, report);
      check_exists(workflow, step, options, report);
    }
  }
}

void lint_permissions(const Workflow& workflow, LintReport& report) {
  if (workflow.permissions.all == Access::write) {
    report.add(
        LintLevel::error, "excessive-permissions", workflow.permissions.place,
        "every job may write everything",
        "give the workflow 'permissions: {contents: read}' and each job what it needs beyond");
  }
  if (workflow.permissions.all == Access::read) {
    report.add(LintLevel::note, "excessive-permissions", workflow.permissions.place,
               "every job may read everything", "name the scopes: 'permissions: {contents: read}'");
  }
  for (const auto& [scope, access] : workflow.permissions.scopes) {
    if (access != Access::write || workflow.permissions.all || workflow.jobs.size() < 2) continue;
    report.add(LintLevel::warning, "excessive-permissions", workflow.permissions.place,
               fmt::format("every job may write {}", scope), "give it to the jobs that need it");
  }
  for (const auto& job : workflow.jobs) {
    bool is_own = job.permissions.given && job.permissions.place != workflow.permissions.place;
    if (is_own && job.permissions.all == Access::write) {
      report.add(LintLevel::error, "excessive-permissions", job.permissions.place,
                 fmt::format("job '{}' may write everything", job.id), "name the scopes it needs");
    }
    if (!job.permissions.given && !job.is_call()) {
      report.add(
          LintLevel::warning, "excessive-permissions", job.place,
          fmt::format("job '{}' has whatever the repository's default gives its token", job.id),
          "give the workflow 'permissions: {contents: read}'");
    }
    if (needs_id_token(job) && job.permissions.of("id-token", Access::none) != Access::write) {
      report.add(LintLevel::error, "missing-permission", job.place,
                 fmt::format("job '{}' takes a role by OIDC and has no 'id-token: write'", job.id),
                 "add 'permissions: {id-token: write, contents: read}' to the job");
    }
  }
}

namespace {

// Whether a text or expression names what a pull request brings: its head, its number's ref, the branch of the run before.
bool names_head(const Template& value) {
  const auto& text = value.text;
  bool names = text.find("refs/pull/") != std::string::npos;
  for_each_expression_node(value, [&](const ExpressionNode& node) {
    auto path = path_of(node);
    names = names || path.find(".head.") != std::string::npos || path == "github.head_ref" ||
            path.find("workflow_run.head_") != std::string::npos ||
            path.ends_with("merge_commit_sha");
  });
  return names;
}

bool takes_strangers_code(const Workflow& workflow) {
  for (const auto& job : workflow.jobs) {
    for (const auto& step : job.steps) {
      if (action_name(step.uses) == "actions/checkout" &&
          (names_head(step.with["ref"]) || names_head(step.with["repository"]))) {
        return true;
      }
      for (std::string_view command : {"gh pr checkout", "hub pr checkout",
                                       "git fetch origin pull/", "git pull origin pull/"}) {
        if (step.run.text.find(command) != std::string::npos) return true;
      }
    }
  }
  return false;
}

}  // namespace

void lint_triggers(const Workflow& workflow, LintReport& report) {
  for (const auto& trigger : workflow.triggers) {
    const std::pair<const FilterPair*, std::string_view> filters[] = {
        {&trigger.branches, "branches"}, {&trigger.tags, "tags"}, {&trigger.paths, "paths"}};
    for (const auto& [pair, name] : filters) {
      if (!pair->has_only || !pair->has_ignore) continue;
      report.add(LintLevel::error, "exclusive-filters", trigger.place,
                 fmt::format("on.{} has both {} and {}-ignore: GitHub refuses the workflow",
                             trigger.event, name, name),
                 fmt::format("use {} with '!' patterns", name));
    }
    bool is_privileged = trigger.event == "pull_request_target" || trigger.event == "workflow_run";
    if (!is_privileged) continue;
    bool runs_strangers_code = takes_strangers_code(workflow);
    if (runs_strangers_code) {
      report.add(
          LintLevel::error, "dangerous-triggers", trigger.place,
          fmt::format("{} runs with secrets and checks out a stranger's code", trigger.event),
          "use pull_request, or do not check out the head");
    } else if (trigger.event == "pull_request_target") {
      report.add(
          LintLevel::warning, "dangerous-triggers", trigger.place,
          "pull_request_target gives secrets and a writing token to runs that strangers start",
          "use pull_request");
    }
  }
}

void lint_credentials(const Workflow& workflow, LintReport& report) {
  const std::string mend =
      "take a role by OIDC: role-to-assume, and 'permissions: {id-token: write}'";
  for_each_template(workflow, [&](const Template& value, const Job*, const Step*) {
    for (const auto& entry : value.entries) {
      auto key = to_lower(entry.key.text);
      bool is_aws = key == "aws-access-key-id" || key == "aws-secret-access-key" ||
                    key == "aws_access_key_id" || key == "aws_secret_access_key";
      bool is_temporary = entry.value.uses_context("steps") || entry.value.uses_context("needs");
      if (is_aws && !is_temporary) {
        report.add(LintLevel::error, "static-aws-keys", entry.key.place,
                   fmt::format("'{}' is a long-lived key", entry.key.text), mend);
      }
    }
  });
}

}  // namespace slipway::workflow
