// SPDX-License-Identifier: Apache-2.0
#include "workflow/step_runner.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/alarm.hpp"
#include "workflow/machine_tree.hpp"
#include "workflow/scratch.hpp"

namespace slipway::workflow {
namespace {

/// The status functions of a step, as things are now.
class StepHost final : public ExpressionHost {
 public:
  StepHost(const JobState& job, const Scope& scope) : job_(job), scope_(scope) {}
  bool success(const std::vector<std::string>&) const override {
    return !job_.is_cancelled() && scope_.status == Conclusion::success;
  }
  bool failure(const std::vector<std::string>&) const override {
    return !job_.is_cancelled() && scope_.status == Conclusion::failure;
  }
  bool cancelled() const override { return job_.is_cancelled(); }
  std::string hash_files(const std::vector<std::string>& patterns) const override {
    return hash_machine_files(*job_.machine, patterns);
  }

 private:
  const JobState& job_;
  const Scope& scope_;
};

/// The status functions as they will be once the job is cancelled.
class CancelledHost final : public ExpressionHost {
 public:
  explicit CancelledHost(JobMachine& machine) : machine_(machine) {}
  bool success(const std::vector<std::string>&) const override { return false; }
  bool failure(const std::vector<std::string>&) const override { return false; }
  bool cancelled() const override { return true; }
  std::string hash_files(const std::vector<std::string>& patterns) const override {
    return hash_machine_files(machine_, patterns);
  }

 private:
  JobMachine& machine_;
};

StepOutputOptions output_options(const Contexts& contexts) {
  const auto& env = contexts.values.at("env");
  auto is_true = [&](std::string_view name) { return equals_ignoring_case(env.get(name).to_string(), "true"); };
  return {.allow_unsecure_commands = is_true("ACTIONS_ALLOW_UNSECURE_COMMANDS"),
          .allow_any_stop_token = is_true("ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"),
          .show_debug = is_true("ACTIONS_STEP_DEBUG")};
}

std::string title_of(const Step& step, const Contexts& contexts) {
  std::optional<std::string> name;
  std::string script;
  try {
    if (!step.name.is_absent()) name = evaluate_text(step.name, contexts);
    if (step.is_run()) script = evaluate_text(step.run, contexts);
  } catch (const Error&) {
    // The title is for people: the same error comes again, with its place, when the step is run.
    name = step.name.is_absent() ? step.run.literal() : step.name.literal();
  }
  return step_title(step, name, script);
}

bool goes_on_when_cancelled(const Expression& condition, const Contexts& contexts) {
  if (!condition.root()) return true;  // a post step without post-if: always()
  try {
    return evaluate(condition, contexts).is_truthy();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void StepRunner::run_main(const std::vector<Step>& steps) {
  for (const auto& step : steps) run_step(step, job_.main, nullptr);
}

void StepRunner::note_error(const std::string& message) {
  if (job_.first_error.empty()) job_.first_error = job_.masker.mask(message);
}

std::optional<bool> StepRunner::holds(const Expression& condition, const Contexts& contexts, const Scope&, StepOutput& output) {
  try {
    return evaluate(condition, contexts).is_truthy();
  } catch (const Error& error) {
    output.annotate(Severity::error, error.what());
    note_error(error.what());
    return std::nullopt;
  }
}

void StepRunner::run_step(const Step& step, const std::shared_ptr<Scope>& scope, StepOutput* around) {
  auto began = Deadline::Clock::now();
  StepHost host(job_, *scope);
  auto contexts = contexts_of(job_, *scope, {}, step.id);
  contexts.host = &host;
  Variables env;
  std::string problem;
  try {
    if (!step.env.is_absent()) env = to_variables(evaluate(step.env, contexts, KeyCase::exact));
  } catch (const Error& error) {
    problem = error.what();
  }
  contexts = contexts_of(job_, *scope, env, step.id);
  contexts.host = &host;
  auto title = title_of(step, contexts);
  StepLabel label = around ? around->label() : StepLabel{++job_.last_step, title, step.id};
  StepOutput output(job_.reporter, label, job_.masker, job_.echo, output_options(contexts));

  std::optional<bool> wanted;
  if (problem.empty()) {
    wanted = holds(step.condition.expression, contexts, *scope, output);
  } else {
    output.annotate(Severity::error, problem);
    note_error(problem);
  }
  StepRecord record{.id = step.id, .outcome = Conclusion::failure, .conclusion = Conclusion::failure, .outputs = {}};
  if (wanted == false) {
    record.outcome = record.conclusion = Conclusion::skipped;
  } else {
    if (!around) {
      job_.reporter.emit({.kind = EventKind::step_started, .step = label.number, .step_name = title, .step_id = step.id});
    }
    if (wanted) {
      StepCall call{.step = &step, .scope = *scope, .owner = scope, .title = title, .id = step.id, .env = env,
                    .contexts = std::move(contexts), .output = output, .stop = {}};
      record.outcome = guarded(call, step.condition.expression, [&](StepCall& body) { return run_body(body); });
      settle(call, record.outcome);
      if (record.outcome == Conclusion::failure) {
        if (auto full = scratch_complaint(job_.services.directory / "jobs"); !full.empty()) output.annotate(Severity::error, full);
      }
      record.outputs = std::move(output.effects().outputs);
      record.conclusion = record.outcome;
      if (record.outcome == Conclusion::failure && !step.continue_on_error.is_absent()) {
        call.contexts.host = &host;
        try {
          auto value = evaluate(step.continue_on_error, call.contexts);
          if (value.is_boolean() && value.boolean()) record.conclusion = Conclusion::success;
        } catch (const Error& error) {
          output.annotate(Severity::error, error.what());
        }
      }
    }
  }
  if (record.conclusion == Conclusion::failure) scope->status = Conclusion::failure;
  if (!around) {
    Variables shown;
    for (const auto& [name, value] : record.outputs) shown[name] = job_.masker.mask(value);
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
    job_.reporter.emit({.kind = EventKind::step_finished, .step = label.number, .step_name = label.name, .step_id = step.id,
                        .conclusion = std::string(name_of(record.conclusion)), .outcome = std::string(name_of(record.outcome)),
                        .took_ms = took, .outputs = std::move(shown)});
  }
  if (step.has_own_id) scope->records.push_back(std::move(record));
}

// Runs `body` so that it is stopped by the step's timeout, and by the job's cancellation unless the condition still holds then.
Conclusion StepRunner::guarded(StepCall& call, const Expression& condition,
                               const std::function<Conclusion(StepCall&)>& body) {
  std::stop_source source;
  std::int64_t timeout_minutes = 0;
  std::atomic<bool> timed_out = false;
  call.stop = source.get_token();
  try {
    if (call.step && !call.step->timeout_minutes.is_absent()) {
      auto number = evaluate(call.step->timeout_minutes, call.contexts).to_number();
      timeout_minutes = number > 0 && number < 1e9 ? static_cast<std::int64_t>(number) : 0;
    }
    CancelledHost later(*job_.machine);
    Contexts contexts = call.contexts;
    contexts.host = &later;
    std::stop_callback on_cancel(job_.stop, [&] {
      if (!goes_on_when_cancelled(condition, contexts)) source.request_stop();
    });
    std::stop_callback on_end(job_.end, [&] { source.request_stop(); });
    Alarm alarm(timeout_minutes > 0 ? Deadline::in(std::chrono::minutes(timeout_minutes)) : Deadline::never(), [&] {
      timed_out = true;
      source.request_stop();
    });
    auto conclusion = body(call);
    call.output.flush();
    if (!timed_out && source.stop_requested()) {
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
    if (!timed_out) return conclusion;
  } catch (const Error& error) {
    call.output.flush();
    if (!timed_out) {
      call.output.annotate(Severity::error, error.what());
      note_error(error.what());
      return Conclusion::failure;
    }
  } catch (const Cancelled&) {
    call.output.flush();
    if (!timed_out) return Conclusion::cancelled;
  }
  auto message = fmt::format("The action '{}' has timed out after {} minutes.", call.title, timeout_minutes);
  call.output.annotate(Severity::error, message);
  note_error(message);
  return Conclusion::failure;
}

Conclusion StepRunner::run_body(StepCall& call) {
  const auto& step = *call.step;
  if (step.background || step.wait_all || !step.wait.empty() || !step.cancel.empty()) {
    fail(Fault::unsupported, "background steps (background, wait, wait-all, cancel, parallel) are not supported yet");
  }
  return step.is_run() ? run_script(call) : run_uses(call);
}

// What the step said takes effect for the steps after it.
void StepRunner::settle(StepCall& call, Conclusion& outcome) {
  auto& effects = call.output.effects();
  for (const auto& [name, value] : effects.env) {
    job_.env[name] = value;
    if (auto inherited = call.scope.env.find(name); inherited != call.scope.env.end()) inherited->second = value;
  }
  effects.env.clear();
  for (const auto& directory : effects.path) {
    std::erase(job_.path, directory);
    job_.path.push_back(directory);
  }
  effects.path.clear();
  if (effects.command_failed && outcome == Conclusion::success) {
    outcome = Conclusion::failure;
    note_error(fmt::format("a workflow command of '{}' failed", call.title));
  }
}

void StepRunner::run_posts() {
  while (!job_.posts.empty()) {
    auto post = std::move(job_.posts.back());
    job_.posts.pop_back();
    run_post(post);
  }
}

void StepRunner::run_post(PostStep& post) {
  auto began = Deadline::Clock::now();
  auto& scope = *post.scope;
  StepHost host(job_, *job_.main);
  auto contexts = contexts_of(job_, scope, post.env, post.id);
  contexts.host = &host;
  StepLabel label{++job_.last_step, post.title, post.id};
  StepOutput output(job_.reporter, label, job_.masker, job_.echo, output_options(contexts));
  auto outcome = Conclusion::skipped;
  std::optional<bool> wanted = true;
  if (post.condition.expression.root()) wanted = holds(post.condition.expression, contexts, scope, output);
  if (wanted != false) {
    job_.reporter.emit({.kind = EventKind::step_started, .step = label.number, .step_name = label.name, .step_id = post.id});
    outcome = Conclusion::failure;
  }
  if (wanted == true) {
    StepCall call{.step = nullptr, .scope = scope, .owner = post.scope, .title = post.title, .id = post.id, .env = post.env,
                  .contexts = std::move(contexts), .output = output, .stop = {}};
    outcome = guarded(call, post.condition.expression, post.body);
    settle(call, outcome);
  }
  if (outcome == Conclusion::failure) job_.main->status = Conclusion::failure;
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  job_.reporter.emit({.kind = EventKind::step_finished, .step = label.number, .step_name = label.name, .step_id = post.id,
                      .conclusion = std::string(name_of(outcome)), .outcome = std::string(name_of(outcome)), .took_ms = took});
}

}  // namespace slipway::workflow
