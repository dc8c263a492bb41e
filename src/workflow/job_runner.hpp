// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "workflow/reporter.hpp"
#include "workflow/run.hpp"

namespace slipway::workflow {

/// One leg to be run.
struct LegOrder {
  const RunOrder& run;
  const Workflow& workflow;
  const Job& job;
  std::string id;  ///< within the run: "test", "test (3.11)", "caller / inner"
  std::string title;
  Contexts base;                 ///< github, inputs, vars, needs, strategy, matrix, secrets
  std::string job_workflow_ref;  ///< of the file that has the job
};

struct LegResult {
  Conclusion conclusion = Conclusion::success;
  bool continues_on_error = false;  ///< its failure is none for the run
  std::vector<std::pair<std::string, std::string>> outputs;
  std::string environment;
  std::string environment_url;
  std::string reason;  ///< the first error
};

/// Runs a job from its machine's making to its outputs. What goes wrong is in the result.
///   stop  the job is cancelled
LegResult run_leg(const LegOrder& order, RunServices& services, EventSink& sink,
                  std::stop_token stop);

/// The environment's name that a job asks for; empty: none.
std::string environment_of(const Job& job, const Contexts& contexts);

/// A file name for a job's id: "test (3.11)" → "test-3.11-4f2a".
std::string file_name_of(const std::string& job_id);

}  // namespace slipway::workflow
