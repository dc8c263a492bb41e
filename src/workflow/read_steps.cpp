// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "base/text.hpp"
#include "workflow/read_parts.hpp"
#include "workflow/step_ids.hpp"

namespace slipway::workflow {
namespace {

bool is_action_reference(const std::string& uses) {
  if (uses.starts_with("docker://") || uses.starts_with("./") || uses.starts_with(".\\") ||
      uses.starts_with("$/")) {
    return true;
  }
  auto halves = split(uses, '@');
  if (halves.size() != 2 || halves[1].empty()) return false;
  auto parts = split(replace_all(halves[0], "\\", "/"), '/');
  std::erase(parts, "");
  return parts.size() >= 2;
}

std::vector<std::string> words(const Template& value) {
  if (value.is_string()) return {value.text};
  std::vector<std::string> result;
  for (const auto& item : value.items) result.push_back(item.text);
  return result;
}

class StepReader final {
 public:
  StepReader(const Availability& if_available, Findings& findings)
      : if_available_(if_available), findings_(findings) {}

  std::vector<Step> read(Template& value) {
    for (const auto& item : value.items) collect_ids(item);
    check_targets(value);
    steps_.reserve(value.items.size());
    for (auto& item : value.items) add(item, false);
    for (auto& step : steps_) {
      if (!step.has_own_id) step.id = ids_.make_up(step.uses);
    }
    for (const auto& [waiting, group] : groups_) {
      for (auto member : group) steps_[waiting].wait.push_back(steps_[member].id);
    }
    return std::move(steps_);
  }

 private:
  // Own ids come before the made-up ones, wherever they are in the file.
  void collect_ids(const Template& item) {
    const auto& id = item["id"];
    if (id.is_string()) {
      if (auto wrong = ids_.add(id.text); !wrong.empty()) findings_.add(id.place, wrong);
    }
    for (const auto& inner : item["parallel"].items) collect_ids(inner);
  }

  // wait and cancel name steps that stand before them.
  void check_targets(const Template& steps) {
    std::set<std::string> before;
    for (const auto& item : steps.items) {
      const auto& id = item["id"];
      auto check = [&](const Template& target) {
        if (target.text.starts_with("__")) {
          findings_.add(
              target.place,
              fmt::format("The identifier '{}' is invalid. IDs starting with '__' are reserved.",
                          target.text));
        } else if (id.is_string() && compare_ignoring_case(id.text, target.text) == 0) {
          findings_.add(target.place, fmt::format("Step '{}' cannot reference itself", id.text));
        } else if (!before.contains(target.text)) {
          findings_.add(target.place,
                        fmt::format("Step references unknown step ID '{}'", target.text));
        }
      };
      auto check_all = [&](const Template& step) {
        if (step["wait"].is_string()) check(step["wait"]);
        for (const auto& target : step["wait"].items) check(target);
        if (step["cancel"].is_string()) check(step["cancel"]);
      };
      check_all(item);
      const auto& all = item["wait-all"];
      if (all.kind == Template::Kind::boolean && !all.boolean) {
        findings_.add(all.place, "The value of 'wait-all' must be true or omitted");
      }
      if (id.is_string()) before.insert(id.text);
      for (const auto& inner : item["parallel"].items) {
        check_member(inner, item.place);
        check_all(inner);
      }
    }
  }

  // A parallel group is of run and uses steps.
  void check_member(const Template& step, Place group) {
    if (!step["background"].is_absent()) {
      findings_.add(group,
                    "'background' is not allowed inside a parallel block. Steps in a parallel "
                    "block are automatically run as "
                    "background steps.");
    }
    for (const char* key : {"wait", "wait-all", "cancel"}) {
      if (!step[key].is_absent())
        findings_.add(group, fmt::format("'{}' is not allowed inside a parallel block.", key));
    }
    if (!step["parallel"].is_absent())
      findings_.add(group, "Nested 'parallel' blocks are not allowed.");
  }

  void add(Template& item, bool in_group) {
    auto group = item.take("parallel");
    if (!group.is_absent()) {
      std::vector<std::size_t> members;
      for (auto& inner : group.items) {
        members.push_back(steps_.size());
        add(inner, true);
      }
      groups_.emplace_back(steps_.size(), std::move(members));
      Step wait;
      wait.place = item.place;
      wait.condition = read_condition({}, if_available_, true, findings_);
      steps_.push_back(std::move(wait));
      return;
    }
    steps_.push_back(read_one(item));
    if (in_group) steps_.back().background = true;
  }

  Step read_one(Template& item) {
    Step step;
    step.place = item.place;
    step.id = item["id"].text;
    step.has_own_id = item["id"].is_string();
    step.name = item.take("name");
    step.condition = read_condition(item["if"], if_available_, true, findings_);
    step.env = item.take("env");
    step.continue_on_error = item.take("continue-on-error");
    step.timeout_minutes = item.take("timeout-minutes");
    step.run = item.take("run");
    step.shell = item.take("shell");
    step.working_directory = item.take("working-directory");
    step.with = item.take("with");
    step.background = item["background"].boolean;
    step.wait = words(item["wait"]);
    step.wait_all = !item["wait-all"].is_absent();
    step.cancel = item["cancel"].text;
    const auto& uses = item["uses"];
    step.uses = uses.text;
    step.uses_place = uses.place;
    if (uses.is_string() && !is_action_reference(uses.text)) {
      findings_.add(
          uses.place,
          fmt::format("Expected format {{org}}/{{repo}}[/path]@ref. Actual '{}'", uses.text));
    }
    return step;
  }

  const Availability& if_available_;
  Findings& findings_;
  Ids ids_;
  std::vector<Step> steps_;
  std::vector<std::pair<std::size_t, std::vector<std::size_t>>>
      groups_;  // a waiting step, and for what
};

}  // namespace

Condition read_condition(const Template& value, const Availability& available, bool wrap,
                         Findings& findings) {
  Condition condition;
  condition.place = value.place;
  condition.text = value.literal();
  if (wrap && value.is_absent()) {  // most steps and jobs have none
    static const Expression kSuccess = std::get<Expression>(parse_condition("", available, true));
    condition.expression = kSuccess;
    return condition;
  }
  std::string source = value.is_expression() ? value.expression.text() : value.text;
  auto parsed = parse_condition(source, available, wrap);
  if (auto* error = std::get_if<ExpressionError>(&parsed)) {
    if (!findings.has(value.place)) findings.add(value.place, error->message);
  } else {
    condition.expression = std::get<Expression>(std::move(parsed));
  }
  return condition;
}

std::vector<Step> read_steps(Template& value, const Availability& if_available,
                             Findings& findings) {
  return StepReader(if_available, findings).read(value);
}

}  // namespace slipway::workflow
