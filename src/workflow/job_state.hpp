// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "workflow/mask.hpp"
#include "workflow/reporter.hpp"
#include "workflow/run.hpp"
#include "workflow/step_output.hpp"

// What one running job (leg) knows. Only its own thread changes it.
namespace slipway::workflow {

using Variables = std::map<std::string, std::string>;

/// An entry of the `steps` context.
struct StepRecord {
  std::string id;
  Conclusion outcome = Conclusion::success;  ///< before continue-on-error
  Conclusion conclusion = Conclusion::success;
  std::vector<std::pair<std::string, std::string>> outputs;
};

/// The steps that see each other: those of the job, or those of one composite action.
struct Scope {
  std::vector<StepRecord> records;          ///< of steps with an id of their own, in order
  Conclusion status = Conclusion::success;  ///< job.status, or github.action_status
  bool is_composite = false;
  int depth = 0;            ///< composites around it
  Value inputs;             ///< the `inputs` context of a composite
  Variables env;            ///< the calling step's env, over the job's
  std::string action_path;  ///< github.action_path inside a composite
  std::string action_ref;
  std::string action_repository;
  std::stop_token late;  ///< the time of the calling step is over
  std::vector<struct PostStep>* posts =
      nullptr;  ///< of a composite: where its steps' posts go, kept by the composite's own; null: the job's
};

/// Values that one use of an action keeps from pre over main to post.
struct ActionState {
  std::map<std::string, std::string> saved;
  bool has_post = false;  ///< its post is among those to be run
};

/// A stage of an action beside its main one. Posts: the last one pushed runs first.
struct PostStep {
  std::string title;
  std::string id;
  const Step* step = nullptr;  ///< whose stage it is: its `env` and `with` are evaluated anew
  Condition condition;         ///< pre-if or post-if; an empty expression: always()
  std::shared_ptr<Scope>
      scope;  // shared with the other posts of the same scope and the scope's own run
  std::function<Conclusion(struct StepCall&)> body;
  std::shared_ptr<std::vector<PostStep>>
      inner{};  ///< of a composite: the posts of its steps, shared with `body`; else null
};

struct JobState {
  const RunOrder& order;
  RunServices& services;
  const Workflow& workflow;
  const Job& job;
  const Reporter& reporter;
  Masker& masker;
  JobMachine* machine = nullptr;  ///< set when it has been made
  std::stop_token stop;           ///< the job is cancelled
  std::stop_token end;            ///< the time to clean up after that is over, too
  Contexts base;              ///< github, inputs, vars, needs, strategy, matrix, secrets, runner
  Value job_context;          ///< container, services; `status` is added
  Variables env;              ///< workflow's, job's and GITHUB_ENV
  std::string default_shell;  ///< of `defaults.run`; empty: none given
  std::string default_directory;  ///< likewise
  std::vector<std::string> path;  ///< GITHUB_PATH, later ones come first in PATH
  bool shows_debug = false;       ///< ACTIONS_STEP_DEBUG, a secret or a variable
  bool echo = false;
  MatcherHost* matchers = nullptr;  ///< set with `machine`
  StopLadder ladder;
  std::vector<PostStep> posts;
  int last_step = 0;  ///< the number of the step that was started last
  std::shared_ptr<Scope> main = std::make_shared<Scope>();  // shared with the posts of its steps
  std::optional<ToolkitServer::Grant> grant;
  std::string first_error;
  Variables failed_env;  ///< of the script that failed last, with the directory it ran in
  std::string failed_directory;
  std::string environment;  ///< the name of the job's environment; may be empty

  [[nodiscard]] bool is_cancelled() const { return stop.stop_requested(); }
};

/// One step being executed.
struct StepCall {
  const Step* step = nullptr;
  bool is_main = true;  ///< false: its pre or post stage
  Scope& scope;
  std::shared_ptr<Scope> owner;  ///< the same scope, for posts
  std::string title;
  std::string id;
  Variables env;  ///< the step's own env, evaluated
  Contexts contexts;
  StepOutput& output;
  std::stop_token stop;  ///< ends what the step runs
  std::stop_token late;  ///< its time is over
};

/// The contexts of a step: `env` holds the job's variables, the scope's and `step_env`.
Contexts contexts_of(const JobState& job, const Scope& scope, const Variables& step_env,
                     const std::string& step_id);
/// The environment of a process of a step, without INPUT_* and STATE_*. `contexts` as made by contexts_of().
Variables process_env(const JobState& job, const StepCall& call);
/// Adds what only the processes of actions have: where caches and artifacts are kept, and the token for it.
///   is_container  a docker action's: it is not told of the second cache service
///   source        actions/runner NodeScriptActionHandler.cs, ContainerActionHandler.cs
void add_runtime(const JobState& job, Variables& env, bool is_container);
/// STATE/runs/ID/kept/JOB/shell.json: what `slipway shell` needs to make a failed job's machine again. Values that hold
/// a secret are left out; of a container there is the image, which the store has by then.
formats::Json kept_machine_json(const JobState& job, const std::string& id,
                                const MachinePaths& paths,
                                const std::optional<ContainerOrder>& container);
/// An object of strings.
Value to_value(const Variables& variables, KeyCase keys = KeyCase::ignored);
/// The members of an object as text; arrays and objects show as the language prints them.
Variables to_variables(const Value& value);
std::string to_text(const Value& value);

}  // namespace slipway::workflow
