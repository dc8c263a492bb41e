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

/// volumeConfigurations of one volume from the inputs INPUT-name and INPUT ("run-task-managed-ebs-volume", "service-managed-ebs-volume");
/// empty without them.
///   throws  Error{bad_input}
///   source  aws-actions/amazon-ecs-deploy-task-definition v2, convertToManagedEbsVolumeObject
formats::Json managed_ebs_volumes(workflow::ActionContext& context, const std::string& input);

}  // namespace slipway::actions
