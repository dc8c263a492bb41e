// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workflow/command.hpp"
#include "workflow/mask.hpp"
#include "workflow/problem_matcher.hpp"
#include "workflow/reporter.hpp"

namespace slipway::workflow {

/// Which step of a job is speaking.
struct StepLabel {
  int number = 0;
  std::string name;
  std::string id;
};

/// What a step said by workflow commands and environment files; applied by the runner when the step has ended.
struct StepEffects {
  std::vector<std::pair<std::string, std::string>> outputs;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<std::string> path;  ///< in the order they were said
  std::map<std::string, std::string> state;
  bool command_failed = false;  ///< the step fails even with exit 0
};

/// What problem matchers need of the job.
class MatcherHost {
 public:
  MatcherHost() = default;
  MatcherHost(const MatcherHost&) = delete;
  MatcherHost& operator=(const MatcherHost&) = delete;
  virtual ~MatcherHost() = default;
  /// The text of a file that a step named, absolute or relative to the workspace. throws Error
  [[nodiscard]] virtual std::string read(const std::string& path) const = 0;
  /// The path below the workspace of a file that a tool printed; empty when there is no such file in it.
  ///   from_path  a file whose directory `file` is relative to; may be empty
  [[nodiscard]] virtual std::string place_of(const std::string& file,
                                             const std::string& from_path) const = 0;
  MatcherSet matchers;
};

struct StepOutputOptions {
  bool allow_unsecure_commands = false;  ///< ACTIONS_ALLOW_UNSECURE_COMMANDS
  bool allow_any_stop_token = false;     ///< ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS
  bool show_debug = false;               ///< ACTIONS_STEP_DEBUG
  MatcherHost* matchers = nullptr;       ///< null: add-matcher fails
};

/// One step's log: cuts what a process writes into lines, obeys the workflow commands among them, masks the rest and reports it in
/// blocks of whole lines. A line longer than 1 MiB is cut.
///   threads  any; calls are taken one at a time
class StepOutput final {
 public:
  /// `echo` is the job's `::echo::` state, kept from step to step.
  StepOutput(const Reporter& reporter, StepLabel label, Masker& masker, bool& echo,
             StepOutputOptions options = {});
  StepOutput(const StepOutput&) = delete;
  StepOutput& operator=(const StepOutput&) = delete;

  /// Output of a process.
  void feed(std::string_view bytes);
  /// The process is over: a last line without an end is one.
  void flush();
  /// Lines of our own: masked, never read for commands.
  void say(std::string_view text);
  void group(std::string_view title);
  void end_group();
  /// An annotation; at most ten of each severity a step are kept as such, all are in the log.
  void annotate(Severity severity, std::string message, AnnotationPlace place = {});
  void summarise(std::string_view markdown);

  /// What was said so far. Not to be called while feed() may run.
  [[nodiscard]] StepEffects& effects() { return effects_; }
  [[nodiscard]] const StepLabel& label() const { return label_; }

 private:
  void cut_line();
  void feed_lines(std::string_view block);
  void feed_line(std::string_view line);
  void obey(const LogCommand& command, std::string_view line);
  void stop_commands(const LogCommand& command, std::string_view line);
  void fail_command(const std::string& message);
  void change_matchers(const LogCommand& command, bool adds);
  void tell_problem(const MatchedProblem& problem);
  void report_output(std::string_view text);
  void report(RunEvent event);
  void say_locked(std::string_view text);
  void annotate_locked(Severity severity, std::string message, AnnotationPlace place);
  void end_group_locked();

  const Reporter& reporter_;
  StepLabel label_;
  Masker& masker_;
  bool& echo_;
  StepOutputOptions options_;
  std::mutex mutex_;        // keeps the order of lines and guards all below
  std::string partial_;     // a line whose end has not come
  std::string_view line_;   // the command that is being obeyed
  std::string stop_token_;  // set: commands are stopped until it comes
  std::optional<MatcherRun> problems_;
  int open_groups_ = 0;
  std::array<int, 3> annotations_{};  // by Severity
  StepEffects effects_;
};

/// Applies what a step wrote into its environment files to `effects`.
///   text  the file's content
void read_env_file(std::string_view text, StepOutput& output);
void read_output_file(std::string_view text, StepOutput& output);
void read_state_file(std::string_view text, StepOutput& output);
void read_path_file(std::string_view text, StepOutput& output);
void read_summary_file(std::string_view text, StepOutput& output);

}  // namespace slipway::workflow
