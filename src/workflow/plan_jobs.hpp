// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "workflow/plan.hpp"

namespace slipway::workflow {

/// The `inputs` context of a workflow that an event starts: workflow_dispatch's, typed and with their defaults; null for
/// others.
///   throws  Error{bad_input} naming the input
Value dispatch_inputs(const Workflow& workflow, const Event& event);

/// Each job of a workflow with its verdict before the run, its legs and its names.
///   contexts  github, inputs, vars
///   wanted    ids of the jobs to plan; empty: all
std::vector<PlannedJob> plan_jobs(const Workflow& workflow, const Contexts& contexts,
                                  const Selectors& selectors,
                                  const std::vector<std::string>& wanted);

}  // namespace slipway::workflow
