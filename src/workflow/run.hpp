// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/task_group.hpp"
#include "workflow/action.hpp"
#include "workflow/action_source.hpp"
#include "workflow/environment_gate.hpp"
#include "workflow/job_machine.hpp"
#include "workflow/job_tool.hpp"
#include "workflow/plan.hpp"
#include "workflow/run_event.hpp"
#include "workflow/toolkit_server.hpp"

namespace slipway::workflow {

enum class Conclusion { success, failure, cancelled, skipped };
std::string_view name_of(Conclusion conclusion);

/// What an environment adds to, or puts in place of, the repository's secrets and variables.
struct EnvironmentSettings {
  std::map<std::string, std::string, IgnoringCase> secrets;
  std::map<std::string, std::string, IgnoringCase> vars;
  Protection protection;
};

/// What GitHub keeps in a repository's settings.
struct RunSettings {
  std::map<std::string, std::string, IgnoringCase> secrets;
  std::map<std::string, std::string, IgnoringCase> vars;
  std::map<std::string, EnvironmentSettings, IgnoringCase> environments;
  std::map<std::string, std::string> env;  ///< --env: below the workflow's own `env`
};

/// What a run needs of its surroundings. Everything borrowed outlives the run.
struct RunServices {
  MachineFactory& machines;
  ActionCatalog& builtins;
  ActionSource& actions;
  ToolkitServer* toolkit = nullptr;  ///< null: no OIDC tokens, caches and artifacts for toolkits
  std::filesystem::path source;      ///< the repository the run is of
  std::filesystem::path directory;   ///< the run's own, exists: STATE/runs/ID
  std::filesystem::path
      groups;  ///< where concurrency groups are kept, shared by all runs: STATE/groups
  std::function<std::optional<std::string>(std::string_view host)>
      route;                        ///< ActionContext::route; may be empty
  std::filesystem::path ca_bundle;  ///< ActionContext::ca_bundle; may be empty
  /// Variables of every process in a job below everything else: AWS_ENDPOINT_URL, NODE_EXTRA_CA_CERTS, …
  std::map<std::string, std::string> job_env;
  int most_jobs = 8;                        ///< legs at a time
  std::chrono::milliseconds minute{60000};  ///< of `timeout-minutes` and its like; tests shorten it
  std::stop_token
      hurry{};  ///< asked for: a cancelled run's steps are killed, and no further ones run
  bool keep_failed = false;  ///< what a failed job leaves goes to RUN/kept/JOB, for `slipway shell`
  TaskGroup* endings =
      nullptr;  ///< set by run(): where the machines of jobs that are over are taken down beside those that run
  JobTool* tool =
      nullptr;  ///< a program that jobs on views of this machine find in PATH; null: none
  Log& log;
};

/// What a run before this one has done already (`run --failed`): jobs whose ancestors are all kept are not run again.
struct KeptJobs {
  std::map<std::string, std::map<std::string, std::string>>
      succeeded;                 ///< by id ("test (3.11)", "caller / inner"): outputs
  std::set<std::string> others;  ///< failed, cancelled or never ended
};

/// One workflow of a plan, to be run.
struct RunOrder {
  const PlannedWorkflow& workflow;
  const Event& event;
  RunFacts facts;
  RunSettings settings;
  Selectors selectors;  ///< `jobs` and `matrix` count
  bool dirty = false;   ///< checkout takes the working tree as it is
  KeptJobs kept{};
};

struct JobResult {
  std::string id;     ///< "test", "caller / inner"
  std::string title;  ///< of the leg: "test (3.11)"
  Conclusion conclusion = Conclusion::skipped;
  std::string reason;           ///< why skipped or cancelled; the first error of a failure
  std::string environment;      ///< may be empty
  std::string environment_url;  ///< may be empty
  std::int64_t took_ms = 0;
};

struct RunResult {
  Conclusion conclusion = Conclusion::success;
  std::vector<JobResult> jobs;  ///< one a leg, in the order they ended
  std::int64_t took_ms = 0;
};

/// Runs the jobs of a workflow: each as soon as what it needs is done.
///   stop     asked for: steps get the ladder of signals, `if: always()` and post steps still run
///   returns  how it went; failed steps are answers
///   threads  one call per run; several runs at a time
RunResult run(const RunOrder& order, RunServices& services, EventSink& sink, std::stop_token stop);

}  // namespace slipway::workflow
