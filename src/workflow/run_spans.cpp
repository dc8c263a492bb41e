// SPDX-License-Identifier: Apache-2.0
#include "workflow/run_spans.hpp"

namespace slipway::workflow {
namespace {

using formats::Span;
using formats::Time;
using formats::TraceContext;

// The words that the conventions have for how a run or a task of it ended.
std::string result_of(const std::string& conclusion) {
  if (conclusion == "cancelled") return "cancellation";
  if (conclusion == "skipped") return "skip";
  return conclusion;
}

Time time_of(const RunEvent& event) { return Time(std::chrono::milliseconds(event.at_ms)); }

}  // namespace

TraceContext step_span(const TraceContext& run, const std::string& job, int step) {
  if (run.trace.empty()) return {};
  return {run.trace, formats::span_id(run.trace, {run.span, job, std::to_string(step)})};
}

RunSpans::RunSpans(TraceContext run, std::string parent, RunLabels labels)
    : run_(std::move(run)), parent_(std::move(parent)), labels_(std::move(labels)) {}

void RunSpans::on(const RunEvent& event) {
  switch (event.kind) {
    case EventKind::run_started:
    case EventKind::job_started:
    case EventKind::step_started:
      return begin(event);
    case EventKind::run_finished:
    case EventKind::job_finished:
    case EventKind::step_finished:
      return end(event);
    default:
      return;
  }
}

std::vector<Span> RunSpans::spans() const {
  return state_.read([](const State& state) { return state.ended; });
}

void RunSpans::begin(const RunEvent& event) {
  state_.with([&](State& state) { state.began[{event.job, event.step}] = time_of(event); });
}

void RunSpans::end(const RunEvent& event) {
  if (event.conclusion == "skipped") return;
  bool is_run = event.job.empty();
  bool is_job = !is_run && event.step == 0;
  Span span{.end = time_of(event),
            .attributes = {},
            .ok = event.conclusion == "success",
            .message = event.conclusion == "success" ? "" : event.conclusion};
  span.start = span.end - std::chrono::milliseconds(event.took_ms);
  if (is_run) {
    span.context = run_;
    span.parent = parent_;
    span.name = "run " + labels_.workflow;
    span.attributes = {{"cicd.pipeline.name", labels_.workflow},
                       {"cicd.pipeline.run.id", labels_.run_id},
                       {"cicd.pipeline.result", result_of(event.conclusion)},
                       {"vcs.ref.head.revision", labels_.sha},
                       {"vcs.ref.head.name", labels_.ref},
                       {"vcs.repository.name", labels_.repository}};
  } else {
    span.context = step_span(run_, event.job, event.step);
    span.parent = is_job ? run_.span : step_span(run_, event.job, 0).span;
    span.name = is_job ? "job " + event.job : event.step_name;
    span.attributes = {{"cicd.pipeline.task.name", is_job ? event.job : event.step_name},
                       {"cicd.pipeline.task.run.id",
                        is_job ? event.job : event.job + "/" + std::to_string(event.step)},
                       {"cicd.pipeline.task.run.result", result_of(event.conclusion)}};
  }
  state_.with([&](State& state) {
    if (auto it = state.began.find({event.job, event.step}); it != state.began.end())
      span.start = it->second;
    state.ended.push_back(std::move(span));
  });
}

}  // namespace slipway::workflow
