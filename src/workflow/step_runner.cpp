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

StepOutputOptions output_options(const JobState& job, const Contexts& contexts) {
  const auto& env = contexts.values.at("env");
  auto is_true = [&](std::string_view name) {
    return equals_ignoring_case(env.get(name).to_string(), "true");
  };
  return {.allow_unsecure_commands = is_true("ACTIONS_ALLOW_UNSECURE_COMMANDS"),
          .allow_any_stop_token = is_true("ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"),
          .show_debug = is_true("ACTIONS_STEP_DEBUG"),
          .matchers = job.matchers};
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

void StepRunner::run_main(std::span<const Step> steps) {
  for (const auto& step : steps) run_step(step, job_.main, nullptr);
}

void StepRunner::note_error(const std::string& message) {
  if (job_.first_error.empty()) job_.first_error = job_.masker.mask(message);
}

std::optional<bool> StepRunner::holds(const Expression& condition, const Contexts& contexts,
                                      const Scope&, StepOutput& output) {
  try {
    return evaluate(condition, contexts).is_truthy();
  } catch (const Error& error) {
    output.annotate(Severity::error, error.what());
    note_error(error.what());
    return std::nullopt;
  }
}

void StepRunner::run_step(const Step& step, const std::shared_ptr<Scope>& scope,
                          StepOutput* around) {
  if (is_control(step) && !around) return run_control(step);
  if (step.background && !around) return start_background(step);
  auto error_before = job_.first_error;
  auto ready = make_ready(step, scope, around);
  auto record = run_ready(ready);
  // What the job goes on after is not why it failed.
  if (record.conclusion == Conclusion::success) job_.first_error = error_before;
  take(ready, std::move(record), *scope);
}

// Evaluates what decides whether and how the step runs.
StepRunner::ReadyStep StepRunner::make_ready(const Step& step, const std::shared_ptr<Scope>& scope,
                                             StepOutput* around) {
  ReadyStep ready{.step = &step,
                  .scope = scope,
                  .is_inner = around != nullptr,
                  .began = Deadline::Clock::now()};
  StepHost host(job_, *scope);
  auto contexts = contexts_of(job_, *scope, {}, step.id);
  contexts.host = &host;
  std::string problem;
  try {
    if (!step.env.is_absent())
      ready.env = to_variables(evaluate(step.env, contexts, KeyCase::exact));
  } catch (const Error& error) {
    problem = error.what();
  }
  ready.contexts = contexts_of(job_, *scope, ready.env, step.id);
  ready.contexts.host = &host;
  ready.title =
      job_.masker.mask(title_of(step, ready.contexts));  // a name may have been made of a secret
  StepLabel label = around ? around->label() : StepLabel{++job_.last_step, ready.title, step.id};
  ready.output = std::make_unique<StepOutput>(job_.reporter, label, job_.masker, job_.echo,
                                              output_options(job_, ready.contexts));
  if (problem.empty()) {
    ready.wanted = holds(step.condition.expression, ready.contexts, *scope, *ready.output);
  } else {
    ready.output->annotate(Severity::error, problem);
    note_error(problem);
  }
  ready.contexts.host = nullptr;
  return ready;
}

// Runs the step and tells of it; what it said is still in its output.
StepRecord StepRunner::run_ready(ReadyStep& ready) {
  const auto& step = *ready.step;
  auto& output = *ready.output;
  StepHost host(job_, *ready.scope);
  ready.contexts.host = &host;
  const auto label = output.label();
  StepRecord record{.id = step.id,
                    .outcome = Conclusion::failure,
                    .conclusion = Conclusion::failure,
                    .outputs = {}};
  if (ready.wanted == false) {
    record.outcome = record.conclusion = Conclusion::skipped;
  } else {
    if (!ready.is_inner) {
      job_.reporter.emit({.kind = EventKind::step_started,
                          .step = label.number,
                          .step_name = label.name,
                          .step_id = step.id});
    }
    if (ready.wanted) run_wanted(ready, host, record);
  }
  if (!ready.is_inner) {
    Variables shown;
    for (const auto& [name, value] : record.outputs) shown[name] = job_.masker.mask(value);
    auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - ready.began)
            .count();
    job_.reporter.emit({.kind = EventKind::step_finished,
                        .step = label.number,
                        .step_name = label.name,
                        .step_id = step.id,
                        .conclusion = std::string(name_of(record.conclusion)),
                        .outcome = std::string(name_of(record.outcome)),
                        .took_ms = took,
                        .outputs = std::move(shown)});
  }
  return record;
}

void StepRunner::run_wanted(ReadyStep& ready, const ExpressionHost& host, StepRecord& record) {
  const auto& step = *ready.step;
  auto& output = *ready.output;
  StepCall call{.step = &step,
                .scope = *ready.scope,
                .owner = ready.scope,
                .title = ready.title,
                .id = step.id,
                .env = ready.env,
                .contexts = std::move(ready.contexts),
                .output = output,
                .stop = {}};
  record.outcome =
      guarded(call, step.condition.expression, [&](StepCall& body) { return run_body(body); });
  judge(output, call.title, record.outcome);
  if (record.outcome == Conclusion::failure) {
    if (auto full = scratch_complaint(job_.services.directory / "jobs"); !full.empty())
      output.annotate(Severity::error, full);
  }
  record.outputs = std::move(output.effects().outputs);
  record.conclusion = record.outcome;
  if (record.outcome != Conclusion::failure || step.continue_on_error.is_absent()) return;
  call.contexts.host = &host;
  try {
    auto value = evaluate(step.continue_on_error, call.contexts);
    if (value.is_boolean() && value.boolean()) record.conclusion = Conclusion::success;
  } catch (const Error& error) {
    output.annotate(Severity::error, error.what());
  }
}

// The step takes effect for those after it.
void StepRunner::take(ReadyStep& ready, StepRecord record, Scope& scope) {
  settle(*ready.output, scope);
  if (record.conclusion == Conclusion::failure) scope.status = Conclusion::failure;
  if (ready.step->has_own_id) scope.records.push_back(std::move(record));
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
    Alarm alarm(timeout_minutes > 0 ? Deadline::in(std::chrono::minutes(timeout_minutes))
                                    : Deadline::never(),
                [&] {
                  timed_out = true;
                  source.request_stop();
                });
    if (source.stop_requested()) throw Cancelled();  // the time for it is over before it began
    auto conclusion = body(call);
    call.output.flush();
    if (!timed_out && source.stop_requested()) {
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
    if (!timed_out) return conclusion;
  } catch (const Error& error) {
    call.output.flush();
    if (!timed_out && source.stop_requested()) {  // a second Ctrl-C ends the machine under the step
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
    if (!timed_out) {
      call.output.annotate(Severity::error, error.what());
      note_error(error.what());
      return Conclusion::failure;
    }
  } catch (const Cancelled&) {
    call.output.flush();
    if (!timed_out) {
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
  }
  auto message =
      fmt::format("The action '{}' has timed out after {} minutes.", call.title, timeout_minutes);
  call.output.annotate(Severity::error, message);
  note_error(message);
  return Conclusion::failure;
}

Conclusion StepRunner::run_body(StepCall& call) {
  return call.step->is_run() ? run_script(call) : run_uses(call);
}

// What the step said takes effect for the steps after it.
void StepRunner::settle(StepOutput& output, Scope& scope) {
  auto& effects = output.effects();
  for (const auto& [name, value] : effects.env) {
    job_.env[name] = value;
    if (auto inherited = scope.env.find(name); inherited != scope.env.end())
      inherited->second = value;
  }
  effects.env.clear();
  for (const auto& directory : effects.path) {
    std::erase(job_.path, directory);
    job_.path.push_back(directory);
  }
  effects.path.clear();
}

void StepRunner::judge(StepOutput& output, const std::string& title, Conclusion& outcome) {
  if (!output.effects().command_failed || outcome != Conclusion::success) return;
  outcome = Conclusion::failure;
  note_error(fmt::format("a workflow command of '{}' failed", title));
}

void StepRunner::run_posts() {
  finish_background();
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
  StepOutput output(job_.reporter, label, job_.masker, job_.echo, output_options(job_, contexts));
  auto outcome = Conclusion::skipped;
  std::optional<bool> wanted = true;
  if (post.condition.expression.root())
    wanted = holds(post.condition.expression, contexts, scope, output);
  if (wanted != false) {
    job_.reporter.emit({.kind = EventKind::step_started,
                        .step = label.number,
                        .step_name = label.name,
                        .step_id = post.id});
    outcome = Conclusion::failure;
  }
  if (wanted == true) {
    StepCall call{.step = nullptr,
                  .scope = scope,
                  .owner = post.scope,
                  .title = post.title,
                  .id = post.id,
                  .env = post.env,
                  .contexts = std::move(contexts),
                  .output = output,
                  .stop = {}};
    outcome = guarded(call, post.condition.expression, post.body);
    judge(output, call.title, outcome);
    settle(output, scope);
  }
  if (outcome == Conclusion::failure) job_.main->status = Conclusion::failure;
  auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  job_.reporter.emit({.kind = EventKind::step_finished,
                      .step = label.number,
                      .step_name = label.name,
                      .step_id = post.id,
                      .conclusion = std::string(name_of(outcome)),
                      .outcome = std::string(name_of(outcome)),
                      .took_ms = took});
}

}  // namespace slipway::workflow
