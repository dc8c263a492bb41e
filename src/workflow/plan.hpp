// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "formats/json.hpp"
#include "workflow/event.hpp"
#include "workflow/matrix.hpp"
#include "workflow/model.hpp"

namespace slipway::workflow {

/// Narrows a plan down.
struct Selectors {
  std::vector<std::string> jobs;  ///< --job: these and everything they need; empty: all
  std::vector<std::pair<std::string, std::string>> matrix;  ///< --matrix K=V
  bool ignore_triggers = false;                             ///< the user named the workflow file
  std::map<std::string, std::string> vars;                  ///< the `vars` context
};

/// A job of a plan. What depends on `needs` cannot be known before the run: the runner evaluates it then.
struct PlannedJob {
  const Job* job = nullptr;  ///< in PlannedWorkflow::workflow, which outlives this
  enum class Verdict { runs, skipped, depends };
  Verdict verdict = Verdict::runs;
  std::string
      reason;  ///< "if: github.ref == 'refs/heads/main' is false", "needs test, which is skipped"
  std::optional<Strategy>
      strategy;  ///< nothing: the matrix needs outputs of other jobs (or the job is a call with such)
  std::vector<std::string> leg_names;  ///< titles, in the strategy's order
  std::string environment;  ///< evaluated name where it can be known, else its source; may be empty
  std::string concurrency;  ///< group, likewise
  std::vector<PlannedJob> called;  ///< of a call job: the callee's jobs
};

/// One workflow that an event was shown to.
struct PlannedWorkflow {
  std::shared_ptr<const Workflow> workflow;  // shared by the plan and the run made from it
  bool starts = false;
  std::string reason;
  std::string run_name;
  std::string concurrency;
  Value github;  ///< without what only a run knows
  Value inputs;  ///< the `inputs` context; null when there are none
  Value vars;
  std::vector<PlannedJob>
      jobs;  ///< in order of the file; only selected ones; empty when it does not start
};

struct RunPlan {
  Event event;
  std::vector<PlannedWorkflow> workflows;
  [[nodiscard]] bool starts_anything() const;
};

/// What an event would run. Pure.
///   workflows  read without diagnostics
///   throws     Error{bad_input} for a selected job that no workflow has, for inputs that workflow_dispatch does not
///              declare or of a wrong type, and for a strategy that cannot be expanded
RunPlan plan(const std::vector<std::shared_ptr<const Workflow>>& workflows, const Event& event,
             const Selectors& selectors);

/// docs/plan.md has its schema.
formats::Json to_json(const RunPlan& plan);
/// For people.
std::string to_text(const RunPlan& plan);

/// Reads .github/workflows/*.yml and *.yaml of a repository (or the files given), with the workflows they call from the same
/// repository.
///   throws  Error{bad_input} with every diagnostic, one a line; Error{not_found} when there is no workflow
std::vector<std::shared_ptr<const Workflow>> load_workflows(const std::filesystem::path& repository,
                                                            const std::vector<std::string>& files);

}  // namespace slipway::workflow
