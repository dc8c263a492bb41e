// SPDX-License-Identifier: Apache-2.0
#include "workflow/run.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/concurrency.hpp"
#include "workflow/job_graph.hpp"

namespace slipway::workflow {

std::string_view name_of(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::success:
      return "success";
    case Conclusion::failure:
      return "failure";
    case Conclusion::cancelled:
      return "cancelled";
    case Conclusion::skipped:
      return "skipped";
  }
  return "";
}

namespace {

Contexts base_contexts(const RunOrder& order) {
  Contexts contexts;
  contexts.values["github"] = github_context(order.event, order.facts);
  contexts.values["inputs"] = order.workflow.inputs;
  std::vector<Value::Member> vars;
  for (const auto& [name, value] : order.settings.vars) vars.emplace_back(name, value);
  contexts.values["vars"] = Value::object(std::move(vars));
  std::vector<Value::Member> secrets;
  for (const auto& [name, value] : order.settings.secrets) secrets.emplace_back(name, value);
  if (!order.settings.secrets.contains("GITHUB_TOKEN"))
    secrets.emplace_back("GITHUB_TOKEN", order.facts.token);
  contexts.values["secrets"] = Value::object(std::move(secrets));
  return contexts;
}

// The workflow's own concurrency group; null when a newer run took the place.
bool enter(const RunOrder& order, RunServices& services, const Contexts& contexts,
           const Reporter& reporter, std::stop_source& cancel, std::unique_ptr<GroupPlace>& place) {
  const auto& wanted = order.workflow.workflow->concurrency;
  if (wanted.is_absent()) return true;
  auto public_contexts = contexts;
  public_contexts.values.erase("secrets");
  auto value = evaluate(wanted, public_contexts);
  GroupRequest request{
      .group = value.is_object() ? value.get("group").to_string() : value.to_string(),
      .cancel_in_progress = value.is_object() && value.get("cancel-in-progress").is_truthy(),
      .queues = value.is_object() && equals_ignoring_case(value.get("queue").to_string(), "max"),
      .who = "run " + order.facts.run_id};
  place = enter_group(
      services.groups, request,
      [&](const std::string& who) {
        reporter.emit({.kind = EventKind::job_waiting,
                       .text = fmt::format("waiting for concurrency group '{}', held by {}",
                                           request.group, who)});
      },
      [&cancel] { cancel.request_stop(); }, cancel.get_token());
  return place != nullptr;
}

}  // namespace

RunResult run(const RunOrder& order, RunServices& services, EventSink& sink, std::stop_token stop) {
  auto began = Deadline::Clock::now();
  SerialSink serial(sink);
  Reporter reporter(serial, order.facts.run_id, "");
  os::make_dirs(services.groups);
  reporter.emit({.kind = EventKind::run_started, .text = order.workflow.run_name});
  TaskGroup endings(std::stop_token{});
  services.endings = &endings;
  std::stop_source cancel;
  std::stop_callback by_caller(stop, [&cancel] { cancel.request_stop(); });
  RunResult result;
  try {
    auto contexts = base_contexts(order);
    std::unique_ptr<GroupPlace> place;
    if (enter(order, services, contexts, reporter, cancel, place)) {
      SharedRun shared{
          .order = order, .services = services, .sink = serial, .stop = cancel.get_token()};
      std::vector<const Job*> jobs;
      for (const auto& planned : order.workflow.jobs) jobs.push_back(planned.job);
      auto github = contexts.values.at("github");
      JobGraph graph(shared,
                     {.workflow = *order.workflow.workflow,
                      .prefix = {},
                      .title_prefix = {},
                      .base = contexts,
                      .job_workflow_ref = github.get("workflow_ref").to_string()},
                     jobs, cancel.get_token());
      result.conclusion = graph.run_all().conclusion;
      result.jobs = shared.results.read([](const auto& results) { return results; });
    } else {
      result.conclusion = Conclusion::cancelled;
    }
  } catch (const Cancelled&) {
    result.conclusion = Conclusion::cancelled;
  }
  endings.join();
  services.endings = nullptr;
  if (stop.stop_requested() && result.conclusion != Conclusion::failure)
    result.conclusion = Conclusion::cancelled;
  result.took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  reporter.emit({.kind = EventKind::run_finished,
                 .conclusion = std::string(name_of(result.conclusion)),
                 .took_ms = result.took_ms});
  return result;
}

}  // namespace slipway::workflow
