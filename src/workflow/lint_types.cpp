// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

// What expressions are made of: members that a context does not have, and kinds that do not fit.
namespace slipway::workflow {
namespace {

using Kind = ExpressionNode::Kind;
using Names = std::set<std::string, IgnoringCase>;

// source  docs.github.com, "Contexts reference"
const std::map<std::string, Names>& members() {
  static const std::map<std::string, Names> table = {
      {"github",
       {"action",
        "action_path",
        "action_ref",
        "action_repository",
        "action_status",
        "actor",
        "actor_id",
        "api_url",
        "artifact_cache_size_limit",
        "base_ref",
        "env",
        "event",
        "event_name",
        "event_path",
        "graphql_url",
        "head_ref",
        "job",
        "job_workflow_sha",
        "output",
        "path",
        "ref",
        "ref_name",
        "ref_protected",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "repository_visibility",
        "repositoryurl",
        "retention_days",
        "run_attempt",
        "run_id",
        "run_number",
        "secret_source",
        "server_url",
        "sha",
        "state",
        "step_summary",
        "token",
        "triggering_actor",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "workspace"}},
      {"runner", {"arch", "debug", "environment", "name", "os", "temp", "tool_cache", "workspace"}},
      {"job",
       {"check_run_id", "container", "services", "status", "workflow_file_path", "workflow_ref",
        "workflow_repository", "workflow_sha"}},
      {"strategy", {"fail-fast", "job-index", "job-total", "max-parallel"}}};
  return table;
}

// Contexts and members that are objects: as text they are the word "Object", and they equal nothing.
bool is_object(const std::string& path) {
  for (std::string_view one :
       {"github", "github.event", "env", "vars", "secrets", "inputs", "matrix", "needs", "steps",
        "job", "runner", "strategy", "github.event.pull_request", "github.event.repository",
        "job.container", "job.services", "github.event.inputs"}) {
    if (path == one) return true;
  }
  auto parts = split(path, '.');
  bool is_group = parts[0] == "steps" || parts[0] == "needs";
  return is_group && (parts.size() == 2 || (parts.size() == 3 && parts[2] == "outputs")) &&
         parts[1] != "*";
}

// Members that are text, whatever their text looks like: they equal no boolean.
bool is_text(const std::string& path) {
  auto parts = split(path, '.');
  if (parts.back() == "*") return false;
  if (parts[0] == "github")
    return parts.size() == 2 && parts[1] != "event" && parts[1] != "ref_protected";
  if (parts[0] == "env" || parts[0] == "vars" || parts[0] == "secrets" || parts[0] == "runner")
    return parts.size() == 2;
  return (parts[0] == "steps" || parts[0] == "needs") && parts.size() == 4 && parts[2] == "outputs";
}

bool is_comparison(Kind kind) { return kind >= Kind::equal; }

class TypeCheck final {
 public:
  TypeCheck(const Workflow& workflow, LintReport& report) : workflow_(workflow), report_(report) {}

  void run() {
    for_each_template(workflow_, [&](const Template& value, const Job* job, const Step* step) {
      bool is_text = step != nullptr || job == nullptr || &value == &job->env ||
                     &value == &job->name || &value == &job->outputs;
      check(value, is_text);
    });
    for (const auto& job : workflow_.jobs) {
      check(job.condition);
      for (const auto& step : job.steps) check(step.condition);
    }
    check_call_outputs();
  }

 private:
  void check(const Condition& condition) {
    if (condition.expression.root() != nullptr)
      check_nodes(*condition.expression.root(), condition.place);
  }

  void check(const Template& value, bool is_text) {
    if (value.is_expression() && value.expression.root() != nullptr) {
      const auto& root = *value.expression.root();
      check_nodes(root, value.place);
      if (is_text) check_text(root, value.place);
    }
    for (const auto& item : value.items) check(item, is_text);
    for (const auto& entry : value.entries) {
      check(entry.key, is_text);
      check(entry.value, is_text);
    }
  }

  // What becomes text: the expression itself, or the arguments of the format() that mixed text is.
  void check_text(const ExpressionNode& root, Place place) {
    bool is_mixed = root.kind == Kind::call && root.name == "format";
    if (!is_mixed) return tell_object(root, place);
    for (std::size_t i = 1; i < root.children.size(); ++i) tell_object(root.children[i], place);
  }

  void tell_object(const ExpressionNode& node, Place place) {
    auto path = path_of(node);
    if (path.empty() || !is_object(path)) return;
    tell(LintLevel::warning, "type-mismatch", place,
         fmt::format("'{}' is an object: as text it is the word 'Object'", path),
         fmt::format("name a member, or write toJSON({})", path));
  }

  void check_nodes(const ExpressionNode& root, Place place) {
    for_each_node(root, [&](const ExpressionNode& node) {
      if (node.kind == Kind::index) check_member(node, place);
      if (is_comparison(node.kind)) check_comparison(node, place);
      if (node.kind == Kind::call) check_call(node, place);
    });
  }

  void check_member(const ExpressionNode& node, Place place) {
    auto path = path_of(node);
    auto parts = split(path, '.');
    if (parts.size() < 2 || parts[1] == "*") return;
    if (auto known = members().find(parts[0]); known != members().end() && parts.size() == 2) {
      if (!known->second.contains(parts[1])) {
        tell(LintLevel::warning, "unknown-context", place,
             fmt::format("the context '{}' has no '{}'", parts[0], parts[1]),
             "see docs.github.com, \"Contexts reference\"");
      }
    }
    if (auto whole = parts[0] + "." + parts[1]; parts.size() == 3 && is_text(whole)) {
      tell(LintLevel::warning, "unknown-context", place,
           fmt::format("'{}' is text and has no '{}'", whole, parts[2]), "");
    }
    if (path.starts_with("job.container.") && parts.size() == 3 && parts[2] != "*")
      tell_part(parts, {"id", "network"}, place);
    if (parts.size() == 3 && parts[0] == "steps" && parts[2] != "*") {
      tell_part(parts, {"outputs", "outcome", "conclusion"}, place);
    }
    if (parts.size() == 3 && parts[0] == "needs" && parts[2] != "*")
      tell_part(parts, {"outputs", "result"}, place);
    if (parts.size() == 2 && parts[0] == "inputs") check_input(parts[1], place);
    if (parts.size() == 4 && path.starts_with("github.event.inputs.")) check_input(parts[3], place);
    if (parts.size() == 2 && parts[0] == "secrets") check_secret(parts[1], place);
  }

  void tell_part(const std::vector<std::string>& parts, const Names& known, Place place) {
    if (known.contains(parts[2])) return;
    tell(LintLevel::error, "unknown-context", place,
         fmt::format("'{}.{}' has no '{}'", parts[0], parts[1], parts[2]),
         "there is " + fmt::format("{}", fmt::join(known, ", ")));
  }

  void check_input(const std::string& name, Place place) {
    Names known;
    bool is_declared = false;
    for (const char* event : {"workflow_dispatch", "workflow_call"}) {
      const auto* trigger = workflow_.find_trigger(event);
      if (trigger == nullptr) continue;
      is_declared = true;
      for (const auto& input : trigger->inputs) known.insert(input.name);
    }
    if (!is_declared || name == "*" || known.contains(name)) return;
    tell(LintLevel::error, "unknown-reference", place,
         fmt::format("the workflow has no input '{}'", name),
         known.empty() ? "" : fmt::format("there is {}", fmt::join(known, ", ")));
  }

  // Only a workflow that is always called knows its secrets.
  void check_secret(const std::string& name, Place place) {
    const auto* call = workflow_.find_trigger("workflow_call");
    if (call == nullptr || workflow_.triggers.size() != 1 || call->secrets.empty() || name == "*")
      return;
    if (compare_ignoring_case(name, "GITHUB_TOKEN") == 0) return;
    Names known;
    for (const auto& secret : call->secrets) known.insert(secret.name);
    if (known.contains(name)) return;
    tell(
        LintLevel::warning, "unknown-reference", place,
        fmt::format("on.workflow_call has no secret '{}'", name),
        fmt::format("there is {}; others come only by 'secrets: inherit'", fmt::join(known, ", ")));
  }

  void check_comparison(const ExpressionNode& node, Place place) {
    for (const auto& child : node.children) {
      auto path = path_of(child);
      if (path.empty() || !is_object(path)) continue;
      tell(LintLevel::warning, "type-mismatch", place,
           fmt::format("'{}' is an object and equals nothing that is written here", path),
           "compare one of its members");
    }
    if (node.children.size() != 2) return;
    for (std::size_t i : {0U, 1U}) {
      const auto& other = node.children[1 - i];
      auto path = path_of(node.children[i]);
      if (path.empty() || !is_text(path) || other.kind != Kind::literal ||
          !other.literal.is_boolean())
        continue;
      auto word = other.literal.boolean() ? "true" : "false";
      tell(LintLevel::warning, "type-mismatch", place,
           fmt::format("'{}' is text and never equals the boolean {}", path, word),
           fmt::format("compare it with the text '{}'", word));
    }
  }

  void check_call(const ExpressionNode& node, Place place) {
    auto is = [&](std::string_view name) { return compare_ignoring_case(node.name, name) == 0; };
    const auto& first = node.children.empty() ? node : node.children[0];
    bool has_text = first.kind == Kind::literal && first.literal.is_string();
    if (is("fromJSON") && has_text) {
      try {
        formats::parse_json(first.literal.string());
      } catch (const Error& error) {
        tell(LintLevel::error, "type-mismatch", place,
             fmt::format("fromJSON() gets no JSON: {}", error.what()), "");
      }
    }
    if (is("format") && has_text)
      check_format(first.literal.string(), node.children.size() - 1, place);
    bool searches = is("contains") || is("startsWith") || is("endsWith");
    if (searches && is_object(path_of(first))) {
      tell(LintLevel::warning, "type-mismatch", place,
           fmt::format("{}({}, …) is always false: an object is no text and no list", node.name,
                       path_of(first)),
           "name a member, or toJSON() it");
    }
  }

  void check_format(const std::string& format, std::size_t arguments, Place place) {
    auto plain = replace_all(replace_all(format, "{{", ""), "}}", "");
    for (std::size_t i = 0; i < arguments; ++i) {
      if (plain.find(fmt::format("{{{}}}", i)) != std::string::npos) continue;
      tell(LintLevel::warning, "type-mismatch", place,
           fmt::format("format('{}') does not use its argument {{{}}}", format, i), "");
    }
    if (plain.find(fmt::format("{{{}}}", arguments)) == std::string::npos) return;
    tell(LintLevel::error, "type-mismatch", place,
         fmt::format("format('{}') uses more than its {} arguments", format, arguments), "");
  }

  // on.workflow_call.outputs name outputs of jobs.
  void check_call_outputs() {
    const auto* call = workflow_.find_trigger("workflow_call");
    if (call == nullptr) return;
    for (const auto& output : call->outputs) {
      for_each_expression_node(output.second, [&](const ExpressionNode& node) {
        auto parts = split(path_of(node), '.');
        if (parts.size() < 2 || parts[0] != "jobs" || parts[1] == "*") return;
        const auto* job = workflow_.find_job(parts[1]);
        if (job == nullptr) {
          tell(LintLevel::error, "unknown-reference", output.second.place,
               fmt::format("there is no job '{}'", parts[1]), "");
        } else if (parts.size() == 4 && parts[2] == "outputs" && !job->is_call() &&
                   job->outputs[parts[3]].is_absent()) {
          tell(LintLevel::error, "unknown-reference", output.second.place,
               fmt::format("job '{}' has no output '{}'", job->id, parts[3]), "");
        }
      });
    }
  }

  void tell(LintLevel level, const char* rule, Place place, std::string message, std::string mend) {
    if (!told_.insert(fmt::format("{}:{}:{}", place.line, place.column, message)).second) return;
    report_.add(level, rule, place, std::move(message), std::move(mend));
  }

  const Workflow& workflow_;
  LintReport& report_;
  std::set<std::string> told_;
};

}  // namespace

void lint_types(const Workflow& workflow, LintReport& report) { TypeCheck(workflow, report).run(); }

}  // namespace slipway::workflow
