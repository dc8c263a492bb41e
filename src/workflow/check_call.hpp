// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "workflow/model.hpp"
#include "workflow/schema_reader.hpp"

namespace slipway::workflow {

/// Holds a job that calls a workflow against that workflow: it must have `workflow_call`, get the inputs and secrets it
/// declares with values of their types and no others, and ask for no permission the job has not.
///   limited  the repository's default for a job without `permissions` is read-only contents and packages
///   source   runner, WorkflowTemplateConverter.ConvertToOnTrigger, PermissionsHelper
void check_call(const Job& job, const Workflow& callee, bool limited, Findings& findings);

/// What a job may do with its token, as the log shows it: "Contents: read", a line a scope, none left out.
std::vector<std::string> permission_lines(const Permissions& permissions);

/// The scopes of GITHUB_TOKEN in the order GitHub names them.
const std::vector<std::string>& permission_scopes();
std::string_view name_of(Access access);

}  // namespace slipway::workflow
