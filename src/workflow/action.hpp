// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "workflow/job_machine.hpp"

namespace slipway::formats {
class Json;
}

namespace slipway::workflow {

/// An input as an action declares it.
struct ActionInput {
  std::string name;
  std::optional<std::string>
      standard;  ///< its `default`, may hold `${{ }}`; nothing: absent when not given
  bool required = false;
};

/// Where a file-bound message points.
struct AnnotationPlace {
  std::string title;
  std::string file;
  int line = 0;
  int end_line = 0;
  int column = 0;
  int end_column = 0;
};

/// What a built-in action is given and what it may do. The engine masks, stores and shows; an action never prints.
class ActionContext {
 public:
  ActionContext() = default;
  ActionContext(const ActionContext&) = delete;
  ActionContext& operator=(const ActionContext&) = delete;
  virtual ~ActionContext() = default;

  /// An input by name, in any case: from `with`, else its evaluated default; nothing when there is neither.
  [[nodiscard]] virtual std::optional<std::string> input(std::string_view name) const = 0;
  /// The same, "" when absent.
  [[nodiscard]] std::string text(std::string_view name) const { return input(name).value_or(""); }
  /// YAML 1.2 core booleans only (true, True, TRUE, false, …); `otherwise` when absent or empty.
  ///   throws  Error{bad_input} naming the input, as @actions/core's getBooleanInput
  [[nodiscard]] bool flag(std::string_view name, bool otherwise) const;
  /// The lines of an input, trimmed, without empty ones.
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  /// The environment a process of this step would have: job and step `env`, GITHUB_ENV so far, GITHUB_*, RUNNER_*, and
  /// AWS_ENDPOINT_URL and its like when the run was given a cloud.
  [[nodiscard]] virtual const std::map<std::string, std::string>& env() const = 0;
  [[nodiscard]] std::string env_or(const std::string& name, std::string otherwise = "") const;
  /// The `github` context with event, token, sha, ref, …
  [[nodiscard]] virtual const formats::Json& github() const = 0;
  /// The name of the job's `environment`; empty when it has none.
  [[nodiscard]] virtual std::string environment() const { return ""; }
  /// The step's span as W3C's traceparent; empty when the run is not traced.
  [[nodiscard]] virtual std::string trace_parent() const { return ""; }
  /// What main saved for post (STATE_*).
  [[nodiscard]] virtual std::optional<std::string> state(const std::string& name) const = 0;
  [[nodiscard]] virtual JobMachine& machine() = 0;
  /// What relative paths start from, as the job sees it.
  [[nodiscard]] virtual std::string working_directory() { return machine().paths().workspace; }
  /// The repository this run is of, on slipway's own file system: where checkout gets commits without a network.
  [[nodiscard]] virtual const std::filesystem::path& source_repository() const = 0;
  /// True for `--dirty`: the working tree as it is, not the commit.
  [[nodiscard]] virtual bool is_dirty_run() const = 0;
  /// "address" or "address:port" that a host name of the job's network leads to (`*.amazonaws.com` with a local cloud), for calls
  /// made from slipway's own process; nothing: resolve as usual.
  [[nodiscard]] virtual std::optional<std::string> route(std::string_view host) const = 0;
  /// A PEM file that trusts what route() leads to; empty: the system's.
  [[nodiscard]] virtual const std::filesystem::path& ca_bundle() const = 0;
  /// A signed OIDC token of this job for `audience` (empty: GitHub's default).
  ///   throws  Error{denied} without `permissions: id-token: write`
  virtual std::string id_token(const std::string& audience) = 0;
  [[nodiscard]] virtual std::stop_token stop() const = 0;

  virtual void set_output(const std::string& name, const std::string& value) = 0;
  /// As a line in GITHUB_ENV: seen by later steps.
  virtual void set_env(const std::string& name, const std::string& value) = 0;
  virtual void add_path(const std::string& directory) = 0;
  virtual void save_state(const std::string& name, const std::string& value) = 0;
  /// Masks a value and each of its lines from now on.
  virtual void mask(const std::string& value) = 0;
  /// Lines of log; ends with a line break or gets one. Not read for workflow commands.
  virtual void log(std::string_view text) = 0;
  virtual void group(std::string_view title) = 0;
  virtual void end_group() = 0;
  virtual void notice(const std::string& message, const AnnotationPlace& place = {}) = 0;
  virtual void warning(const std::string& message, const AnnotationPlace& place = {}) = 0;
  virtual void error(const std::string& message, const AnnotationPlace& place = {}) = 0;
  /// Appends Markdown to the job's summary.
  virtual void summary(std::string_view markdown) = 0;
  /// Runs a program inside the job with env() and the workspace as cwd unless told otherwise; output goes to the log.
  virtual os::Exit run(const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& more_env = {},
                       const std::string& cwd = "") = 0;
  /// The same, keeping stdout and stderr together instead of logging them.
  virtual std::string capture(const std::vector<std::string>& argv, os::Exit& exit) = 0;
};

/// An action that is part of slipway. One object serves all steps that use it, from several threads at a time: what
/// belongs to one use is kept through save_state().
class Action {
 public:
  Action() = default;
  Action(const Action&) = delete;
  Action& operator=(const Action&) = delete;
  virtual ~Action() = default;
  [[nodiscard]] virtual std::vector<ActionInput> inputs() const = 0;
  /// The main stage. throws Error: the step fails with its message as an error annotation; Cancelled.
  virtual void run(ActionContext& context) = 0;
  /// True when post() has work; it then runs after all main steps, last in first out, also after a failure.
  [[nodiscard]] virtual bool has_post() const { return false; }
  virtual void post(ActionContext& context) { (void)context; }
  /// True when the main stage meets no service of the job: it may run while they start.
  [[nodiscard]] virtual bool is_apart_from_services() const { return false; }
  /// True when post() is for jobs that succeeded (post-if: success()); else it runs always.
  [[nodiscard]] virtual bool posts_only_after_success() const { return false; }
};

/// The built-in actions by name. Owned by the caller of run().
class ActionCatalog {
 public:
  ActionCatalog() = default;
  ActionCatalog(const ActionCatalog&) = delete;
  ActionCatalog& operator=(const ActionCatalog&) = delete;
  virtual ~ActionCatalog() = default;
  /// The action for "owner/repo" or "owner/repo/path" (lower case) at `ref`, or null: then its own code is run.
  virtual Action* find(std::string_view name, std::string_view ref) = 0;
};

}  // namespace slipway::workflow
