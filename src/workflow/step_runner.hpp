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

/// How many composites may stand around an action.
constexpr int kDeepestComposite = 9;

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
  /// False when its condition could not be evaluated: a composite ends there.
  bool run_step(const Step& step, const std::shared_ptr<Scope>& scope, StepOutput* around);
  /// A pre or post stage; `around` is the output of the composite whose stage it is part of.
  Conclusion run_stage(PostStep& stage, StepOutput* around);
  Conclusion run_posts_of(std::vector<PostStep>& posts, StepOutput* around);
  Conclusion guarded(StepCall& call, const Expression& condition,
                     const std::function<Conclusion(StepCall&)>& body);
  std::optional<bool> holds(const Expression& condition, const Contexts& contexts,
                            StepOutput& output);
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
    bool has_bad_condition = false;
  };
  /// What of a step is evaluated first.
  struct StepView {
    Variables env;
    Contexts contexts;
    std::string problem;  // why the env could not be evaluated; empty: it could
  };
  StepView view_of(const Step& step, const Scope& scope, const std::string& id,
                   const ExpressionHost& host) const;
  ReadyStep make_ready(const Step& step, const std::shared_ptr<Scope>& scope, StepOutput* around);
  StepRecord run_ready(ReadyStep& ready);
  void run_wanted(ReadyStep& ready, const ExpressionHost& host, StepRecord& record);
  void take(ReadyStep& ready, StepRecord record, Scope& scope);
  void settle(StepOutput& output);
  void judge(StepOutput& output, const std::string& title, Conclusion& outcome);
  Conclusion continued(Conclusion outcome, const Step& step, const Contexts& contexts,
                       StepOutput& output);
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
  /// The fetched action of a step, which stands in `parent` (null: in the workflow), when it or an action it uses has a `pre`.
  [[nodiscard]] std::shared_ptr<PreparedAction> action_with_pre(const Step& step,
                                                                const PreparedAction* parent) const;
  Conclusion run_pre_stage(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  void run_pre_of(const Step& step, const std::shared_ptr<PreparedAction>& action,
                  const std::shared_ptr<Scope>& scope, StepOutput* around, Conclusion& worst);
  void remember_post(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  Conclusion run_node(StepCall& call, const PreparedAction& action, const std::string& script,
                      const Variables& inputs, ActionState& state);
  Conclusion run_builtin(StepCall& call, Action& action);

  // composite_step.cpp
  Conclusion run_composite(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  Conclusion run_composite_pre(StepCall& call, const std::shared_ptr<PreparedAction>& action);
  std::shared_ptr<Scope> enter_composite(StepCall& call,
                                         const std::shared_ptr<PreparedAction>& action);
  void remember_composite_post(StepCall& call, const std::shared_ptr<PreparedAction>& action,
                               Scope& inner);

  // image_step.cpp: containers
  struct ImageStage {
    std::string image;                       // of docker://
    std::shared_ptr<PreparedAction> action;  // shared with the posts; null for docker://
    Variables inputs;
    std::string entrypoint;              // empty: the image's
    std::shared_ptr<ActionState> state;  // shared with the posts
  };
  Conclusion run_image(StepCall& call, const ImageStage& stage);
  Conclusion run_image_step(StepCall& call, const std::string& image, const Variables& inputs);
  /// A stage of a docker action.
  Conclusion run_image_stage(StepCall& call, const std::shared_ptr<PreparedAction>& action,
                             const std::string& entrypoint, const Variables& inputs);

  [[nodiscard]] bool may_meet_services(const Step& step) const;
  Action* find_builtin(const RemoteAction& action) const;
  void add_post(Scope& scope, PostStep post);
  static std::string post_title(const StepCall& call);
  std::shared_ptr<ActionState> state_of(const StepCall& call);

  /// A use of an action: its step, and inside a composite the scope of that composite's own use.
  using Use = std::pair<const Step*, const Scope*>;
  static Use use_of(const StepCall& call);

  JobState& job_;
  std::map<std::string, std::shared_ptr<PreparedAction>>
      prepared_;  // by "owner/repo/path@ref"; shared with the posts
  std::map<Use, std::shared_ptr<ActionState>> states_;  // shared with the posts
  std::map<Use, std::shared_ptr<Scope>> inside_;  // of composites; shared with what runs in them
  std::list<Background>
      background_;  // in the order they were started; stable addresses: their threads use them
  Guarded<int> background_slots_{0};  // taken
  TaskGroup background_threads_;      // last: they use the others
};

}  // namespace slipway::workflow
