// SPDX-License-Identifier: Apache-2.0
// For tests of the engine: a run on this machine itself, with real shells and no containers.
#pragma once
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "os/file.hpp"
#include "workflow/host_machine.hpp"
#include "workflow/read_workflow.hpp"
#include "workflow/run.hpp"

namespace slipway::workflow::testing {

class Recorder final : public EventSink {
 public:
  void on(const RunEvent& event) override {
    events.push_back(event);
    if (event.kind == EventKind::output) log += event.text;
    if (event.kind == EventKind::annotation)
      log += fmt::format("##[{}]{}\n", name_of(event.severity), event.text);
    if (on_output && event.kind == EventKind::output) on_output(event.text);
  }
  [[nodiscard]] bool says(std::string_view text) const {
    return log.find(text) != std::string::npos;
  }
  [[nodiscard]] std::string conclusion_of_step(std::string_view name) const {
    for (const auto& event : events) {
      if (event.kind == EventKind::step_finished && event.step_name == name)
        return event.conclusion;
    }
    return "";
  }
  std::vector<RunEvent> events;
  std::string log;
  std::function<void(const std::string&)> on_output;
};

class Greeting final : public Action {
 public:
  std::vector<ActionInput> inputs() const override {
    return {{.name = "who", .standard = "${{ github.repository_owner }}"},
            {.name = "loud", .standard = "false"}};
  }
  void run(ActionContext& context) override {
    context.save_state("who", context.text("who"));
    context.set_output("greeting", "hello " + context.text("who"));
    context.set_env("GREETED", context.text("who"));
    context.mask("sesame");
    if (context.flag("loud", false)) fail(Fault::failed, "too loud");
  }
  bool has_post() const override { return true; }
  void post(ActionContext& context) override {
    context.log("goodbye " + context.state("who").value_or("?"));
  }
};

class Catalog final : public ActionCatalog {
 public:
  Action* find(std::string_view name, std::string_view) override {
    return name == "test/greeting" ? &greeting_ : nullptr;
  }

 private:
  Greeting greeting_;
};

/// A workflow's run in a temporary directory.
class Bench {
 public:
  RunResult run(const std::string& text, std::stop_token stop = {}) {
    auto read = read_workflow(text, "test.yml");
    for (const auto& diagnostic : read.diagnostics) FAIL(to_string(diagnostic));
    workflow_ = std::make_shared<const Workflow>(std::move(read.workflow));
    event.name = "push";
    event.ref = "refs/heads/main";
    event.sha = std::string(40, 'a');
    event.repository = "octo/app";
    event.actor = "mona";
    planned_.workflow = workflow_;
    planned_.starts = true;
    planned_.jobs.clear();
    for (const auto& job : workflow_->jobs) planned_.jobs.push_back({.job = &job});
    RunServices services{.machines = machines ? *machines : plain_,
                         .builtins = builtins ? *builtins : catalog_,
                         .actions = actions_,
                         .source = directory.path(),
                         .directory = directory.path() / "run",
                         .groups = directory.path() / "groups",
                         .minute = minute,
                         .hurry = hurry,
                         .log = log_};
    RunOrder order{
        .workflow = planned_, .event = event, .facts = {}, .settings = settings, .selectors = {}};
    order.facts.token = "token-for-tests";
    order.kept = kept;
    return workflow::run(order, services, recorder, std::move(stop));
  }
  os::TempDir directory;
  MachineFactory* machines = nullptr;  // null: the host itself
  ActionCatalog* builtins = nullptr;   // null: test/greeting
  KeptJobs kept;
  std::stop_token hurry;
  std::chrono::milliseconds minute{60000};
  Event event;
  RunSettings settings;
  Recorder recorder;

 private:
  PlainHostFactory plain_;
  Catalog catalog_;
  NoLog log_;
  ActionLock lock_{{}, false};
  DiskActionSource actions_{
      {directory.path() / "actions"}, directory.path() / "cache", "", lock_, log_};
  PlannedWorkflow planned_;
  std::shared_ptr<const Workflow> workflow_;
};

inline Conclusion conclusion_of(const RunResult& result, std::string_view job) {
  for (const auto& one : result.jobs) {
    if (one.id == job) return one.conclusion;
  }
  FAIL("no job " << job);
  return Conclusion::failure;
}

}  // namespace slipway::workflow::testing
