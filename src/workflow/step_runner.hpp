// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "workflow/job_state.hpp"

namespace slipway::workflow {

/// An action whose code is on the job's machine.
struct PreparedAction {
  ActionFile file;
  std::string directory;   ///< inside the machine, of the action itself
  std::string repository;  ///< "owner/name"; empty for a local action
  std::string ref;
};

/// Runs the steps of one job: conditions, environments, files, shells, actions, posts.
class StepRunner final {
 public:
  explicit StepRunner(JobState& job);
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  /// Fetches every action that the steps name (what is built in excepted) and runs their `pre`.
  void prepare(const std::vector<Step>& steps, StepOutput& output);
  void run_pre(const std::vector<Step>& steps);
  /// The main steps of the job, in order; what fails is in job.main->status.
  void run_main(std::span<const Step> steps);
  /// How many of the first steps can run while the job's services start: those of built-in actions that meet none, as
  /// long as no expression asks for `job.services`, and no action has a `pre`, which comes first. After prepare().
  [[nodiscard]] std::size_t count_before_services(std::span<const Step> steps) const;
  /// The post steps, last in first out.
  void run_posts();

 private:
  // step_runner.cpp
  void run_step(const Step& step, const std::shared_ptr<Scope>& scope, StepOutput* around);
  void run_post(PostStep& post);
  Conclusion guarded(StepCall& call, const Expression& condition,
                     const std::function<Conclusion(StepCall&)>& body);
  std::optional<bool> holds(const Expression& condition, const Contexts& contexts,
                            const Scope& scope, StepOutput& output);
  Conclusion run_body(StepCall& call);
  /// A step whose conditions are evaluated.
  struct ReadyStep {
    const Step* step = nullptr;
    std::shared_ptr<Scope> scope;  // shared with the posts of the step
    bool is_inner = false;         // of a composite: told of by the step that uses it
    Deadline::Clock::time_point began;
    Variables env;
    Contexts contexts;
    std::string title;
    std::unique_ptr<StepOutput> output;
    std::optional<bool> wanted;  // nothing: that could not be evaluated, and the step fails
  };
  ReadyStep make_ready(const Step& step, const std::shared_ptr<Scope>& scope, StepOutput* around);
  StepRecord run_ready(ReadyStep& ready);
  void run_wanted(ReadyStep& ready, const ExpressionHost& host, StepRecord& record);
  void take(ReadyStep& ready, StepRecord record, Scope& scope);
  void settle(StepOutput& output, Scope& scope);
  void judge(StepOutput& output, const std::string& title, Conclusion& outcome);
  void note_error(const std::string& message);

  // background.cpp
  struct Background;
  static bool is_control(const Step& step);
  void start_background(const Step& step);
  void run_control(const Step& step);
  /// Waits for these; when the job is cancelled they are, too.
  void wait_for(const std::vector<Background*>& steps);
  Conclusion complete(const std::vector<Background*>& steps);
  void finish_background();
  std::vector<Background*> unwaited();

  // run_step.cpp
  Conclusion run_script(StepCall& call);
  os::Exit execute(StepCall& call, std::vector<std::string> argv, Variables env,
                   const std::string& cwd);

  // uses_step.cpp: actions
  Conclusion run_uses(StepCall& call);
  std::shared_ptr<PreparedAction> prepare_remote(const RemoteAction& action, StepOutput& output,
                                                 int depth);
  PreparedAction read_local(const LocalAction& action) const;
  Conclusion run_action(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  Conclusion run_composite(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  Conclusion run_node(StepCall& call, const PreparedAction& action, const std::string& script,
                      const Variables& inputs, ActionState& state);
  void add_post(PostStep post);
  Conclusion run_builtin(StepCall& call, Action& action);

  // image_step.cpp: containers
  struct ImageStage {
    std::string image;                       // of docker://
    std::shared_ptr<PreparedAction> action;  // shared with the posts; null for docker://
    Variables inputs;
    std::string entrypoint;              // empty: the image's
    std::shared_ptr<ActionState> state;  // shared with the posts
  };
  Conclusion run_image(StepCall& call, const ImageStage& stage);
  Conclusion run_image_action(StepCall& call, const std::shared_ptr<PreparedAction>& action,
                              const Variables& inputs);
  Conclusion run_image_step(StepCall& call, const std::string& image, const Variables& inputs);

  /// The fetched action of a step when it has a `pre`, else null.
  [[nodiscard]] std::shared_ptr<PreparedAction> action_with_pre(const Step& step) const;
  [[nodiscard]] bool may_meet_services(const Step& step) const;
  Action* find_builtin(const RemoteAction& action) const;
  std::shared_ptr<ActionState> state_of(const Step* step, const Scope* scope);

  JobState& job_;
  std::map<std::string, std::shared_ptr<PreparedAction>>
      prepared_;  // by "owner/repo/path@ref"; shared with the posts
  std::map<std::pair<const Step*, const Scope*>, std::shared_ptr<ActionState>>
      states_;  // shared with the posts
  std::list<Background>
      background_;  // in the order they were started; stable addresses: their threads use them
  Guarded<int> background_slots_{0};  // taken
  TaskGroup background_threads_;      // last: they use the others
};

/// INPUT_* names: upper case, only blanks change.
std::string input_variable(std::string_view name);
/// Replaces each `${{ }}` of a text by its value. throws Error{bad_input} for one that is no expression
std::string interpolate(std::string_view text, const Contexts& contexts);

}  // namespace slipway::workflow
