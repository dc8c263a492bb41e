// SPDX-License-Identifier: Apache-2.0
// Background steps. Each runs on a thread of its own with a copy of what the job knew when it was started, so that nothing is shared with
// the steps beside it; what it said takes effect when it is waited for.
//   source  actions/runner BackgroundStepCoordinator.cs
#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {
namespace {

constexpr int kMostAtATime = 10;

}  // namespace

struct StepRunner::Background {
  explicit Background(const JobState& job) : state(job), runner(state) {
    state.main = std::make_shared<Scope>(*job.main);  // shared with the posts of the step
    state.stop = stop.get_token();
    state.end = end.get_token();
    state.posts.clear();
    env_before = state.env;
    path_before = state.path;
  }
  // Asked to stop whatever its condition says.
  void cancel() {
    stop.request_stop();
    end.request_stop();
  }
  std::stop_source stop;
  std::stop_source end;
  JobState state;
  Variables env_before;
  std::vector<std::string> path_before;
  StepRunner runner;
  ReadyStep ready;
  StepRecord record;
  Guarded<bool> ended;
  bool is_complete = false;
  bool was_cancelled = false;  // by a cancel step: that it was is no fault
};

StepRunner::StepRunner(JobState& job) : job_(job), background_threads_(std::stop_token{}) {}

StepRunner::~StepRunner() {
  for (auto& step : background_) step.cancel();
}

bool StepRunner::is_control(const Step& step) {
  return step.wait_all || !step.wait.empty() || !step.cancel.empty();
}

void StepRunner::start_background(const Step& step) {
  auto& behind = background_.emplace_back(job_);
  behind.runner.prepared_ = prepared_;
  behind.runner.states_ = states_;
  behind.runner.inside_ = inside_;
  behind.ready = behind.runner.make_ready(step, behind.state.main, nullptr);
  job_.last_step = behind.state.last_step;
  background_threads_.start([this, &behind](const std::stop_token&) {
    struct Told {
      Guarded<bool>& ended;
      ~Told() {
        ended.with([](bool& value) { value = true; });
      }
    } told{behind.ended};
    behind.record = {.id = behind.ready.step->id,
                     .outcome = Conclusion::cancelled,
                     .conclusion = Conclusion::cancelled,
                     .outputs = {}};
    // A cancelled job cancels the step, unless its condition holds even then.
    std::stop_callback by_job(job_.stop, [&behind] { behind.stop.request_stop(); });
    std::stop_callback by_end(job_.end, [&behind] { behind.cancel(); });
    bool has_slot = background_slots_.wait(
        behind.end.get_token(), Deadline::never(), [](int taken) { return taken < kMostAtATime; },
        [](int& taken) { ++taken; });
    if (!has_slot) return;
    struct Freed {
      Guarded<int>& slots;
      ~Freed() {
        slots.with([](int& taken) { --taken; });
      }
    } freed{background_slots_};
    behind.record = behind.runner.run_ready(behind.ready);
  });
}

std::vector<StepRunner::Background*> StepRunner::unwaited() {
  std::vector<Background*> steps;
  for (auto& step : background_) {
    if (!step.is_complete) steps.push_back(&step);
  }
  return steps;
}

void StepRunner::wait_for(const std::vector<Background*>& steps) {
  std::stop_callback by_job(job_.stop, [&] {
    for (auto* step : steps) step->cancel();
  });
  for (auto* step : steps)
    step->ended.wait(
        {}, Deadline::never(), [](bool ended) { return ended; }, [](bool) {});
}

Conclusion StepRunner::complete(const std::vector<Background*>& steps) {
  auto worst = Conclusion::success;
  for (auto* step : steps) {
    if (std::exchange(step->is_complete, true)) continue;
    auto conclusion = step->record.conclusion;
    if (conclusion == Conclusion::failure) worst = Conclusion::failure;
    if (conclusion == Conclusion::cancelled && !step->was_cancelled && worst == Conclusion::success)
      worst = Conclusion::cancelled;
    // What the inner steps of a composite action have said is in its copy already.
    for (const auto& [name, value] : step->state.env) {
      if (auto known = step->env_before.find(name);
          known == step->env_before.end() || known->second != value)
        job_.env[name] = value;
    }
    for (const auto& directory : step->state.path) {
      bool is_new = std::find(step->path_before.begin(), step->path_before.end(), directory) ==
                    step->path_before.end();
      if (is_new) job_.path.push_back(directory);
    }
    take(step->ready, step->record, *job_.main);
    for (auto& post : step->state.posts) {
      if (post.scope == step->state.main) post.scope = job_.main;
      job_.posts.push_back(std::move(post));
    }
    step->state.posts.clear();
    if (job_.first_error.empty() && step->record.conclusion != Conclusion::success)
      job_.first_error = step->state.first_error;
  }
  return worst;
}

// wait, wait-all and cancel: they run whatever became of the steps before them.
void StepRunner::run_control(const Step& step) {
  auto began = Deadline::Clock::now();
  std::vector<Background*> targets;
  auto names = step.wait;
  if (!step.cancel.empty()) names.push_back(step.cancel);
  for (auto& behind : background_) {
    bool is_named = std::any_of(names.begin(), names.end(), [&](const auto& name) {
      return equals_ignoring_case(name, behind.ready.step->id);
    });
    if (is_named || (step.wait_all && !behind.is_complete)) targets.push_back(&behind);
  }
  std::vector<std::string> titles;
  for (const auto* target : targets) titles.push_back(target->ready.title);
  auto listed = titles.empty() ? std::string("none") : join(titles, ", ");
  bool cancels = !step.cancel.empty();
  auto title =
      step.name.is_absent() ? (cancels ? "Cancel " : "Wait for ") + listed : step.name.literal();
  StepLabel label{++job_.last_step, title, step.id};
  StepOutput output(job_.reporter, label, job_.masker, job_.echo);
  job_.reporter.emit({.kind = EventKind::step_started,
                      .step = label.number,
                      .step_name = title,
                      .step_id = step.id});
  output.say(
      fmt::format("{} background step(s): {}", cancels ? "Cancelling" : "Waiting for", listed));
  if (cancels) {
    for (auto* target : targets) {
      target->was_cancelled = true;
      target->cancel();
    }
  }
  wait_for(targets);
  auto conclusion = complete(targets);
  if (cancels) conclusion = Conclusion::success;
  for (const auto* target : targets)
    output.say(fmt::format("  {}: {}", target->ready.title, name_of(target->record.conclusion)));
  if (conclusion == Conclusion::failure) job_.main->status = Conclusion::failure;
  if (step.has_own_id)
    job_.main->records.push_back(
        {.id = step.id, .outcome = conclusion, .conclusion = conclusion, .outputs = {}});
  auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  job_.reporter.emit({.kind = EventKind::step_finished,
                      .step = label.number,
                      .step_name = title,
                      .step_id = step.id,
                      .conclusion = std::string(name_of(conclusion)),
                      .outcome = std::string(name_of(conclusion)),
                      .took_ms = took});
}

// Before the posts: none goes on beside them.
void StepRunner::finish_background() {
  auto rest = unwaited();
  wait_for(rest);
  if (complete(rest) == Conclusion::failure) job_.main->status = Conclusion::failure;
  for (auto& step : background_) {  // its posts see what the job knows now
    step.state.env = job_.env;
    step.state.path = job_.path;
    step.state.main->status = job_.main->status;
    if (job_.is_cancelled()) step.stop.request_stop();
  }
}

}  // namespace slipway::workflow
