// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/template.hpp"

// A workflow as it was read: ids and structure are checked, expressions are parsed and not evaluated.
namespace slipway::workflow {

/// An `if`. A job or step without one has `success()`.
struct Condition {
  Expression expression;
  std::string text;  ///< as written; empty when there was none
  Place place;
};

/// run: and uses: steps, and the steps of composite actions.
struct Step {
  std::string id;           ///< own, or made up ("__run_2"); unique in its job ignoring case
  bool has_own_id = false;  ///< false: not in the `steps` context
  Template name;            ///< may be absent: see step_title()
  Condition condition;
  Template env;  ///< mapping, or an expression that gives one
  Template continue_on_error;
  Template timeout_minutes;
  Template run;  ///< absent for uses: steps
  Template shell;
  Template working_directory;
  std::string uses;  ///< empty for run: steps
  Place uses_place;
  Template with;  ///< mapping
  bool background =
      false;  ///< background steps (and a parallel group's): started, waited for later
  std::vector<std::string> wait;  ///< wait: ids of background steps
  bool wait_all = false;
  std::string cancel;  ///< cancel: id of a background step
  Place place;

  [[nodiscard]] bool is_run() const { return !run.is_absent(); }
};

/// What the log shows for a step without a name whose expressions are evaluated: "Run npm test", "Run actions/checkout@v4".
std::string step_title(const Step& step, const std::optional<std::string>& evaluated_name,
                       std::string_view evaluated_run);

enum class Access { none, read, write };
/// Scopes of GITHUB_TOKEN: "contents" → read. Absent key in a given map is none.
struct Permissions {
  bool given = false;         ///< false: whatever the repository's default is
  std::optional<Access> all;  ///< read-all, write-all, {} (none)
  std::map<std::string, Access> scopes;
  Place place;
  bool operator==(const Permissions&) const = default;
  /// `otherwise` when not given.
  [[nodiscard]] Access of(std::string_view scope, Access otherwise) const;
};

struct Defaults {
  Template shell;
  Template working_directory;
};

/// An input of workflow_dispatch or workflow_call.
struct InputDefinition {
  std::string name;
  std::string type = "string";  ///< string, boolean, number, choice, environment
  std::string description;
  bool required = false;
  Template standard;  ///< its default; may be absent
  std::vector<std::string> options;
  Place place;
};

struct SecretDefinition {
  std::string name;
  bool required = false;
  Place place;
};

/// branches/tags/paths patterns of one kind: either list may be given, not both.
struct FilterPair {
  std::vector<std::string> only;    ///< branches:
  std::vector<std::string> ignore;  ///< branches-ignore:
  bool has_only = false;
  bool has_ignore = false;
  [[nodiscard]] bool is_given() const { return has_only || has_ignore; }
};

/// One event under `on`.
struct Trigger {
  std::string event;
  std::vector<std::string> types;  ///< empty: the event's default
  FilterPair branches;
  FilterPair tags;
  FilterPair paths;
  std::vector<std::string> workflows;                     ///< workflow_run
  std::vector<std::string> crons;                         ///< schedule
  std::vector<InputDefinition> inputs;                    ///< workflow_dispatch, workflow_call
  std::vector<SecretDefinition> secrets;                  ///< workflow_call
  std::vector<std::pair<std::string, Template>> outputs;  ///< workflow_call: name → value
  Place place;
};

struct Workflow;

/// secrets: of a call job.
struct CallSecrets {
  bool inherit = false;
  Template map;  ///< name → expression
};

struct Job {
  std::string id;
  Template name;                   ///< absent: the id (with the matrix values)
  std::vector<std::string> needs;  ///< ids as the jobs declare them
  Condition condition;
  Permissions
      permissions;  ///< its own, else its workflow's, else those of the job that calls the workflow
  Template concurrency;  ///< string, or mapping with group, cancel-in-progress, queue
  Template environment;  ///< string, or mapping with name, url, deployment
  Template strategy;     ///< mapping with matrix, fail-fast, max-parallel; or an expression
  Template runs_on;      ///< string, sequence, or mapping with group, labels
  Template env;
  Defaults defaults;
  Template container;  ///< string, or mapping with image, credentials, env, ports, volumes, options
  Template services;   ///< mapping: id → like container
  Template outputs;
  Template timeout_minutes;
  Template continue_on_error;
  Template cancel_timeout_minutes;
  std::vector<Step> steps;
  // A job that calls a workflow:
  std::string uses;  ///< "./.github/workflows/x.yml" or "owner/repo/.github/workflows/x.yml@ref"
  Place uses_place;
  Template inputs;  ///< with:
  CallSecrets secrets;
  std::shared_ptr<const Workflow>
      callee;  ///< read by read_workflow's loader; shared by jobs that call the same file
  std::vector<Place> needs_places;  ///< one for each of needs
  Place place;                      ///< of the id

  [[nodiscard]] bool is_call() const { return !uses.empty(); }
};

struct Workflow {
  std::string file;  ///< as the reader was told: ".github/workflows/deploy.yml"
  Template name;     ///< a literal, or absent: then the file's path is shown
  Template run_name;
  std::vector<Trigger> triggers;
  Template env;
  Defaults defaults;
  Permissions permissions;
  Template concurrency;
  std::vector<Job> jobs;  ///< in order of the file

  /// In any case; nullptr when there is none.
  [[nodiscard]] const Job* find_job(std::string_view id) const;
  [[nodiscard]] const Trigger* find_trigger(std::string_view event) const;
  /// Its name, else its file.
  [[nodiscard]] std::string title() const;
};

/// An action.yml.
struct ActionFile {
  enum class Runs { node, composite, docker };
  struct Input {
    std::string name;
    bool required = false;
    Template standard;  ///< default; may hold expressions
    std::string deprecation;
  };
  struct Output {
    std::string name;
    Template value;  ///< composite only
  };
  std::string file;
  std::string name;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  Runs runs = Runs::node;
  std::string node;  ///< "node20"
  std::string main, pre, post;
  Condition pre_if, post_if;  ///< always() when not given
  std::vector<Step> steps;    ///< composite
  std::string image;          ///< docker: "Dockerfile", "docker://…"
  std::string entrypoint, pre_entrypoint, post_entrypoint;
  Template args;
  Template env;
};

}  // namespace slipway::workflow
