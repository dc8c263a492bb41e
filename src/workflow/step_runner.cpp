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
          .show_debug = job.shows_debug,
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
                                      StepOutput& output) {
  try {
    return evaluate(condition, contexts).is_truthy();
  } catch (const Error& error) {
    output.annotate(Severity::error, error.what());
    note_error(error.what());
    return std::nullopt;
  }
}

bool StepRunner::run_step(const Step& step, const std::shared_ptr<Scope>& scope,
                          StepOutput* around) {
  if (is_control(step) && !around) {
    run_control(step);
    return true;
  }
  if (step.background && !around) {
    start_background(step);
    return true;
  }
  auto error_before = job_.first_error;
  auto ready = make_ready(step, scope, around);
  auto record = run_ready(ready);
  // What the job goes on after is not why it failed.
  if (record.conclusion == Conclusion::success) job_.first_error = error_before;
  take(ready, std::move(record), *scope);
  return !ready.has_bad_condition;
}

StepRunner::StepView StepRunner::view_of(const Step& step, const Scope& scope,
                                         const std::string& id, const ExpressionHost& host) const {
  StepView view{.env = {}, .contexts = contexts_of(job_, scope, {}, id), .problem = {}};
  view.contexts.host = &host;
  if (step.env.is_absent()) return view;
  try {
    view.env = to_variables(evaluate(step.env, view.contexts, KeyCase::exact));
  } catch (const Error& error) {
    view.problem = error.what();
  }
  view.contexts = contexts_of(job_, scope, view.env, id);
  view.contexts.host = &host;
  return view;
}

// Evaluates what decides whether and how the step runs.
StepRunner::ReadyStep StepRunner::make_ready(const Step& step, const std::shared_ptr<Scope>& scope,
                                             StepOutput* around) {
  ReadyStep ready{.step = &step,
                  .scope = scope,
                  .is_inner = around != nullptr,
                  .began = Deadline::Clock::now()};
  StepHost host(job_, *scope);
  auto view = view_of(step, *scope, step.id, host);
  ready.env = std::move(view.env);
  ready.contexts = std::move(view.contexts);
  ready.title =
      job_.masker.mask(title_of(step, ready.contexts));  // a name may have been made of a secret
  StepLabel label = around ? around->label() : StepLabel{++job_.last_step, ready.title, step.id};
  ready.output = std::make_unique<StepOutput>(job_.reporter, label, job_.masker, job_.echo,
                                              output_options(job_, ready.contexts));
  if (view.problem.empty()) {
    ready.wanted = holds(step.condition.expression, ready.contexts, *ready.output);
    ready.has_bad_condition = !ready.wanted;
  } else {
    ready.output->annotate(Severity::error, view.problem);
    note_error(view.problem);
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
                .stop = {},
                .late = {}};
  record.outcome =
      guarded(call, step.condition.expression, [&](StepCall& body) { return run_body(body); });
  judge(output, call.title, record.outcome);
  if (record.outcome == Conclusion::failure) {
    if (auto full = scratch_complaint(job_.services.directory / "jobs"); !full.empty())
      output.annotate(Severity::error, full);
  }
  record.outputs = std::move(output.effects().outputs);
  call.contexts.host = &host;
  record.conclusion = continued(record.outcome, step, call.contexts, output);
}

// What counts of a failure: nothing, with `continue-on-error`.
Conclusion StepRunner::continued(Conclusion outcome, const Step& step, const Contexts& contexts,
                                 StepOutput& output) {
  if (outcome != Conclusion::failure || step.continue_on_error.is_absent()) return outcome;
  try {
    auto value = evaluate(step.continue_on_error, contexts);
    if (value.is_boolean() && value.boolean()) return Conclusion::success;
  } catch (const Error& error) {
    output.annotate(Severity::error, error.what());
  }
  return outcome;
}

// The step takes effect for those after it.
void StepRunner::take(ReadyStep& ready, StepRecord record, Scope& scope) {
  settle(*ready.output);
  if (record.conclusion == Conclusion::failure) scope.status = Conclusion::failure;
  if (ready.step->has_own_id) scope.records.push_back(std::move(record));
}

// Runs `body` so that it is stopped by the step's timeout, and by the job's cancellation unless the condition still holds then.
Conclusion StepRunner::guarded(StepCall& call, const Expression& condition,
                               const std::function<Conclusion(StepCall&)>& body) {
  std::stop_source source;
  std::stop_source late;
  std::int64_t timeout_minutes = 0;
  std::atomic<bool> is_over = false;  // its own time
  auto timed_out = [&late] { return late.stop_requested(); };
  call.stop = source.get_token();
  call.late = late.get_token();
  try {
    if (!call.step->timeout_minutes.is_absent()) {
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
    // The time of a step that uses a composite is the time of all steps in it.
    std::stop_callback on_late(call.scope.late, [&] {
      late.request_stop();
      source.request_stop();
    });
    Alarm alarm(timeout_minutes > 0 ? Deadline::in(job_.services.minute * timeout_minutes)
                                    : Deadline::never(),
                [&] {
                  is_over = true;
                  late.request_stop();
                  source.request_stop();
                });
    if (source.stop_requested()) throw Cancelled();  // the time for it is over before it began
    auto conclusion = body(call);
    call.output.flush();
    if (!timed_out() && source.stop_requested()) {
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
    if (!timed_out()) return conclusion;
  } catch (const Error& error) {
    call.output.flush();
    if (!timed_out() &&
        source.stop_requested()) {  // a second Ctrl-C ends the machine under the step
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
    if (!timed_out()) {
      call.output.annotate(Severity::error, error.what());
      note_error(error.what());
      return Conclusion::failure;
    }
  } catch (const Cancelled&) {
    call.output.flush();
    if (!timed_out()) {
      call.output.annotate(Severity::error, "The operation was canceled.");
      return Conclusion::cancelled;
    }
  }
  auto message = is_over ? fmt::format("The action '{}' has timed out after {} minutes.",
                                       call.title, timeout_minutes)
                         : "The action has timed out.";
  call.output.annotate(Severity::error, message);
  note_error(message);
  return Conclusion::failure;
}

Conclusion StepRunner::run_body(StepCall& call) {
  return call.step->is_run() ? run_script(call) : run_uses(call);
}

// What the step said takes effect for the steps after it.
void StepRunner::settle(StepOutput& output) {
  auto& effects = output.effects();
  for (const auto& [name, value] : effects.env) job_.env[name] = value;
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

namespace {

// A composite's post is what the posts of its steps are.
bool has_work(const PostStep& post) {
  return !post.inner || std::any_of(post.inner->begin(), post.inner->end(), has_work);
}

}  // namespace

Conclusion StepRunner::run_posts_of(std::vector<PostStep>& posts, StepOutput* around) {
  auto worst = Conclusion::success;
  while (!posts.empty()) {
    auto post = std::move(posts.back());
    posts.pop_back();
    if (has_work(post) && run_stage(post, around) == Conclusion::failure)
      worst = Conclusion::failure;
  }
  return worst;
}

void StepRunner::run_posts() {
  finish_background();
  run_posts_of(job_.posts, nullptr);
}

Conclusion StepRunner::run_stage(PostStep& stage, StepOutput* around) {
  auto began = Deadline::Clock::now();
  const auto& step = *stage.step;
  // The job's status, inside a composite too: actions/runner SuccessFunction.cs.
  StepHost host(job_, *job_.main);
  auto view = view_of(step, *stage.scope, stage.id, host);
  StepLabel label = around ? around->label() : StepLabel{++job_.last_step, stage.title, stage.id};
  StepOutput output(job_.reporter, label, job_.masker, job_.echo,
                    output_options(job_, view.contexts));
  auto outcome = Conclusion::failure;
  std::optional<bool> wanted = true;
  if (!view.problem.empty()) {
    output.annotate(Severity::error, view.problem);
    note_error(view.problem);
    wanted = std::nullopt;
  } else if (stage.condition.expression.root()) {
    wanted = holds(stage.condition.expression, view.contexts, output);
  }
  if (wanted == false) outcome = Conclusion::skipped;
  if (wanted != false && !around) {
    job_.reporter.emit({.kind = EventKind::step_started,
                        .step = label.number,
                        .step_name = label.name,
                        .step_id = stage.id});
  }
  auto conclusion = outcome;
  if (wanted == true) {
    StepCall call{.step = &step,
                  .is_main = false,
                  .scope = *stage.scope,
                  .owner = stage.scope,
                  .title = stage.title,
                  .id = stage.id,
                  .env = std::move(view.env),
                  .contexts = std::move(view.contexts),
                  .output = output,
                  .stop = {},
                  .late = {}};
    outcome = guarded(call, stage.condition.expression, stage.body);
    judge(output, call.title, outcome);
    call.contexts.host = &host;
    conclusion = continued(outcome, step, call.contexts, output);
    settle(output);
  }
  if (around) return conclusion;
  if (conclusion == Conclusion::failure) job_.main->status = Conclusion::failure;
  auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  job_.reporter.emit({.kind = EventKind::step_finished,
                      .step = label.number,
                      .step_name = label.name,
                      .step_id = stage.id,
                      .conclusion = std::string(name_of(conclusion)),
                      .outcome = std::string(name_of(outcome)),
                      .took_ms = took});
  return conclusion;
}

}  // namespace slipway::workflow
