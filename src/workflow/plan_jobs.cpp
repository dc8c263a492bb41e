// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan_jobs.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {
namespace {

using Verdict = PlannedJob::Verdict;

// Before a run: what is not skipped already is taken to succeed.
class Foresight final : public ExpressionHost {
 public:
  explicit Foresight(bool ancestors_run) : ancestors_run_(ancestors_run) {}
  [[nodiscard]] bool success(const std::vector<std::string>& /*jobs*/) const override {
    return ancestors_run_;
  }
  [[nodiscard]] bool failure(const std::vector<std::string>& /*jobs*/) const override {
    return false;
  }
  [[nodiscard]] bool cancelled() const override { return false; }

 private:
  bool ancestors_run_;
};

class JobPlanner final {
 public:
  JobPlanner(const Workflow& workflow, const Contexts& contexts, const Selectors& selectors)
      : workflow_(workflow), contexts_(contexts), selectors_(selectors) {}

  std::vector<PlannedJob> plan(const std::vector<std::string>& wanted) {
    // In an order in which what a job needs comes before it; read_workflow() has refused cycles.
    std::vector<PlannedJob> planned;
    std::set<std::string, IgnoringCase> done;
    bool advanced = true;
    while (advanced) {
      advanced = false;
      for (const auto& job : workflow_.jobs) {
        if (done.contains(job.id)) continue;
        bool is_ready = std::all_of(job.needs.begin(), job.needs.end(),
                                    [&](const auto& id) { return done.contains(id); });
        if (!is_ready) continue;
        done.insert(job.id);
        advanced = true;
        planned.push_back(plan_one(job));
      }
    }
    return in_file_order(std::move(planned), wanted);
  }

 private:
  std::vector<PlannedJob> in_file_order(std::vector<PlannedJob> planned,
                                        const std::vector<std::string>& wanted) {
    std::set<std::string, IgnoringCase> kept;
    for (const auto& id : wanted) keep(id, kept);
    std::vector<PlannedJob> result;
    for (const auto& job : workflow_.jobs) {
      if (!wanted.empty() && !kept.contains(job.id)) continue;
      for (auto& one : planned) {
        if (one.job == &job) result.push_back(std::move(one));
      }
    }
    return result;
  }

  void keep(const std::string& id, std::set<std::string, IgnoringCase>& kept) const {
    const auto* job = workflow_.find_job(id);
    if (job == nullptr || !kept.insert(job->id).second) return;
    for (const auto& need : job->needs) keep(need, kept);
  }

  // The id of a job above this one that is skipped; empty when there is none.
  [[nodiscard]] std::string skipped_ancestor(const Job& job) const {
    for (const auto& need : job.needs) {
      if (auto known = skipped_.find(need); known != skipped_.end()) return known->second;
    }
    return "";
  }

  PlannedJob plan_one(const Job& job) {
    PlannedJob result;
    result.job = &job;
    auto skipped = skipped_ancestor(job);
    decide(job, skipped, result);
    if (result.verdict == Verdict::skipped) skipped_[job.id] = job.id;
    if (result.verdict != Verdict::skipped && !skipped.empty()) skipped_[job.id] = skipped;
    result.environment =
        known_text(job.environment.is_mapping() ? job.environment["name"] : job.environment);
    result.concurrency =
        known_text(job.concurrency.is_mapping() ? job.concurrency["group"] : job.concurrency);
    if (result.verdict != Verdict::skipped) expand(job, result);
    if (job.callee && result.verdict != Verdict::skipped) result.called = plan_callee(job);
    return result;
  }

  void decide(const Job& job, const std::string& skipped, PlannedJob& result) {
    const auto& condition = job.condition.expression;
    if (condition.uses_context("needs")) {
      result.verdict = Verdict::depends;
      result.reason =
          "if: " + job.condition.text + " is known when " + join(job.needs, ", ") + " is done";
      return;
    }
    Foresight host(skipped.empty());
    Contexts here = contexts_;
    here.host = &host;
    bool runs = while_doing(fmt::format("{}: job '{}': if", workflow_.file, job.id),
                            [&] { return evaluate(condition, here).is_truthy(); });
    if (runs) {
      result.reason = job.condition.text.empty() ? "" : "if: " + job.condition.text + " is true";
    } else if (condition.calls_any({"failure", "cancelled"})) {
      result.verdict = Verdict::depends;
      result.reason = "if: " + job.condition.text + " is false unless something fails";
    } else {
      result.verdict = Verdict::skipped;
      result.reason = !skipped.empty() ? fmt::format("needs '{}', which is skipped", skipped)
                                       : "if: " + job.condition.text + " is false";
    }
  }

  // Evaluated where github, inputs and vars are enough, else its source.
  std::string known_text(const Template& value) const {
    for (const char* context :
         {"needs", "matrix", "strategy", "steps", "job", "runner", "env", "secrets"}) {
      if (value.uses_context(context)) return value.literal();
    }
    return evaluate_text(value, contexts_);
  }

  void expand(const Job& job, PlannedJob& result) {
    if (job.strategy.uses_context("needs")) return;
    auto strategy = while_doing(workflow_.file, [&] { return expand_strategy(job, contexts_); });
    select_legs(strategy, selectors_.matrix);
    for (const auto& leg : strategy.legs) {
      Contexts here = contexts_;
      here.values["matrix"] = leg.matrix;
      here.values["strategy"] = strategy.context(leg.index);
      result.leg_names.push_back(job.name.uses_context("needs") ? job.name.literal()
                                                                : job_title(job, leg, here));
    }
    result.strategy = std::move(strategy);
  }

  std::vector<PlannedJob> plan_callee(const Job& job) {
    std::vector<Value::Member> inputs;
    const auto* call = job.callee->find_trigger("workflow_call");
    if (call == nullptr) return {};
    Contexts inner = contexts_;
    for (const auto& input : call->inputs) {
      const auto& given = job.inputs[input.name];
      bool is_known = !given.uses_context("needs") && !given.uses_context("matrix") &&
                      !given.uses_context("strategy");
      Value value;
      if (!given.is_absent() && is_known) {
        value = evaluate(given, contexts_);
      } else if (given.is_absent() && !input.standard.is_absent()) {
        value = evaluate(input.standard, contexts_);
      } else if (given.is_absent()) {
        value = input.type == "boolean"  ? Value(false)
                : input.type == "number" ? Value(0)
                                         : Value("");
      }
      inputs.emplace_back(input.name, std::move(value));
    }
    inner.values["inputs"] = Value::object(std::move(inputs));
    return plan_jobs(*job.callee, inner, {}, {});
  }

  const Workflow& workflow_;
  const Contexts& contexts_;
  const Selectors& selectors_;
  std::map<std::string, std::string, IgnoringCase>
      skipped_;  // a job that is skipped, or is below one that is → that one
};

Value typed(const InputDefinition& input, const std::string& text) {
  if (input.type == "boolean") {
    if (text != "true" && text != "false") {
      fail(Fault::bad_input, "input '{}' is true or false, not '{}'", input.name, text);
    }
    return Value(text == "true");
  }
  if (input.type == "number") {
    double number = parse_number(text);
    if (std::isnan(number))
      fail(Fault::bad_input, "input '{}' is a number, not '{}'", input.name, text);
    return Value(number);
  }
  const auto& options = input.options;
  if (input.type == "choice" && std::find(options.begin(), options.end(), text) == options.end()) {
    fail(Fault::bad_input, "input '{}' is one of {}, not '{}'", input.name, join(options, ", "),
         text);
  }
  return Value(text);
}

}  // namespace

Value dispatch_inputs(const Workflow& workflow, const Event& event) {
  const auto* trigger = workflow.find_trigger(event.name);
  if (event.name != "workflow_dispatch" || trigger == nullptr) return {};
  std::map<std::string, std::string, IgnoringCase> given(event.inputs.begin(), event.inputs.end());
  if (const auto* inputs = event.payload.find("inputs"); inputs != nullptr && inputs->is_object()) {
    for (const auto& [name, value] : inputs->as_object())
      given.emplace(name, Value::from_json(value).to_string());
  }
  std::vector<Value::Member> members;
  for (const auto& input : trigger->inputs) {
    auto at = given.find(input.name);
    Value value;
    if (at != given.end()) {
      value = typed(input, at->second);
      given.erase(at);
    } else if (!input.standard.is_absent()) {
      value = evaluate(input.standard, {});
    } else if (input.required) {
      fail(Fault::bad_input, "{}: input '{}' is required; give it with --input {}=VALUE",
           workflow.file, input.name, input.name);
    } else if (input.type == "boolean" || input.type == "number") {
      value = input.type == "boolean" ? Value(false) : Value(0);
    } else {
      value = Value(input.type == "choice" && !input.options.empty() ? input.options[0] : "");
    }
    members.emplace_back(input.name, std::move(value));
  }
  if (!given.empty())
    fail(Fault::bad_input, "{}: there is no input '{}'", workflow.file, given.begin()->first);
  return Value::object(std::move(members));
}

std::vector<PlannedJob> plan_jobs(const Workflow& workflow, const Contexts& contexts,
                                  const Selectors& selectors,
                                  const std::vector<std::string>& wanted) {
  return JobPlanner(workflow, contexts, selectors).plan(wanted);
}

}  // namespace slipway::workflow
