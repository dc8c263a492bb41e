// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "workflow/known_actions.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

using Names = std::set<std::string, IgnoringCase>;

// The keys that a job's matrix can have; nothing when an expression decides.
std::optional<Names> matrix_keys(const Job& job) {
  const auto& matrix = job.strategy["matrix"];
  if (job.strategy.is_expression() || matrix.is_expression()) return std::nullopt;
  Names names;
  for (const auto& entry : matrix.entries) {
    if (entry.is_insert || !entry.key.is_string()) return std::nullopt;
    if (entry.key.text == "exclude") continue;
    if (entry.key.text != "include") {
      names.insert(entry.key.text);
      continue;
    }
    if (entry.value.is_expression()) return std::nullopt;
    for (const auto& item : entry.value.items) {
      if (!item.is_mapping()) return std::nullopt;
      for (const auto& key : item.entries) names.insert(key.key.text);
    }
  }
  return names;
}

class ReferenceCheck final {
 public:
  ReferenceCheck(const Workflow& workflow, const LintOptions& options, LintReport& report)
      : workflow_(workflow), options_(options), report_(report) {}

  void run() {
    for_each_template(workflow_, [&](const Template& value, const Job* job, const Step* step) {
      step_ = step;
      if (job != nullptr) check_template(value, *job);
    });
    for (const auto& job : workflow_.jobs) {
      step_ = nullptr;
      check_condition(job.condition, job);
      for (const auto& step : job.steps) {
        step_ = &step;
        check_condition(step.condition, job);
      }
    }
  }

 private:
  void check_condition(const Condition& condition, const Job& job) {
    if (condition.expression.root() == nullptr) return;
    for_each_node(*condition.expression.root(),
                  [&](const ExpressionNode& node) { check_node(node, condition.place, job); });
  }

  void check_template(const Template& value, const Job& job) {
    if (value.is_expression() && value.expression.root() != nullptr) {
      for_each_node(*value.expression.root(),
                    [&](const ExpressionNode& node) { check_node(node, value.place, job); });
    }
    for (const auto& item : value.items) check_template(item, job);
    for (const auto& entry : value.entries) {
      check_template(entry.key, job);
      check_template(entry.value, job);
    }
  }

  void check_node(const ExpressionNode& node, Place place, const Job& job) {
    if (node.kind != ExpressionNode::Kind::index) return;
    auto path = path_of(node);
    auto parts = split(path, '.');
    if (parts.size() < 2 || parts[1] == "*") return;
    if (parts[0] == "needs") check_need(parts, place, job);
    if (parts[0] == "steps" && parts.size() == 2) check_step(parts[1], place, job);
    if (parts[0] == "steps" && parts.size() == 4 && parts[2] == "outputs")
      check_output(parts[1], parts[3], place, job);
    if (parts[0] == "matrix" && parts.size() == 2) {
      auto keys = matrix_keys(job);
      if (keys && !keys->contains(parts[1]))
        tell(place, fmt::format("the matrix of job '{}' has no '{}'", job.id, parts[1]), *keys);
    }
  }

  void check_need(const std::vector<std::string>& parts, Place place, const Job& job) {
    Names needs(job.needs.begin(), job.needs.end());
    if (!needs.contains(parts[1])) {
      if (parts.size() == 2)
        tell(place, fmt::format("job '{}' does not need '{}'", job.id, parts[1]), needs);
      return;
    }
    const auto* other = workflow_.find_job(parts[1]);
    if (parts.size() != 4 || parts[2] != "outputs" || parts[3] == "*" || other == nullptr) return;
    Names outputs;
    if (other->is_call()) {
      const auto* call = other->callee ? other->callee->find_trigger("workflow_call") : nullptr;
      if (call == nullptr) return;
      for (const auto& output : call->outputs) outputs.insert(output.first);
    } else {
      for (const auto& entry : other->outputs.entries) outputs.insert(entry.key.text);
    }
    if (!outputs.contains(parts[3]))
      tell(place, fmt::format("job '{}' has no output '{}'", other->id, parts[3]), outputs);
  }

  void check_step(const std::string& id, Place place, const Job& job) {
    Names ids;
    bool is_later = false;
    for (const auto& step : job.steps) {
      is_later = is_later || &step == step_;
      if (step.has_own_id) ids.insert(step.id);
      if (!is_later || !step.has_own_id || compare_ignoring_case(step.id, id) != 0) continue;
      tell(place, fmt::format("step '{}' has not run yet when this is read", id), {});
    }
    if (!ids.contains(id))
      tell(place, fmt::format("job '{}' has no step with id '{}'", job.id, id), ids);
  }

  // Outputs are known of known and of local actions.
  void check_output(const std::string& id, const std::string& output, Place place, const Job& job) {
    for (const auto& step : job.steps) {
      if (output == "*" || !step.has_own_id || compare_ignoring_case(step.id, id) != 0 ||
          step.uses.empty())
        continue;
      Names outputs;
      if (const auto* known = known_action(step.uses)) {
        if (known->any_output) return;
        outputs.insert(known->outputs.begin(), known->outputs.end());
      } else if (auto action = local_action(step.uses, options_)) {
        // Other kinds may set outputs that their file does not name.
        if (action->runs != ActionFile::Runs::composite) return;
        for (const auto& one : action->outputs) outputs.insert(one.name);
      } else {
        return;
      }
      if (!outputs.contains(output))
        tell(place, fmt::format("'{}' has no output '{}'", step.uses, output), outputs);
    }
  }

  void tell(Place place, std::string message, const Names& known) {
    if (!told_.insert(fmt::format("{}:{}:{}", place.line, place.column, message)).second) return;
    std::vector<std::string> names(known.begin(), known.end());
    report_.add(LintLevel::error, "unknown-reference", place, std::move(message),
                names.empty() ? "" : "there is " + join(names, ", "));
  }

  const Workflow& workflow_;
  const LintOptions& options_;
  LintReport& report_;
  const Step* step_ = nullptr;  // whose text is looked at; null for a job's own
  std::set<std::string> told_;
};

}  // namespace

void lint_references(const Workflow& workflow, const LintOptions& options, LintReport& report) {
  ReferenceCheck(workflow, options, report).run();
}

}  // namespace slipway::workflow
