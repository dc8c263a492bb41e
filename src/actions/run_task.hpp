// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "deploy/calls.hpp"
#include "workflow/action.hpp"

namespace slipway::actions {

/// The `run-task` half of the deploy action: RunTask with the run-task-* inputs, and with wait-for-task-stopped its end. Sets
/// the output run-task-arn.
///   throws  Error{failed} with the container, its exit code and its last log line when a container did not end with 0
void run_task(workflow::ActionContext& context, deploy::Calls& calls,
              const std::string& task_definition);

}  // namespace slipway::actions
