// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "aws/credentials.hpp"
#include "workflow/action.hpp"

namespace slipway::actions {

/// How a step calls AWS: region, keys and endpoints of its environment and of the job's ~/.aws files; names that the run's cloud
/// answers lead there.
///   region   instead of the environment's; may be empty
///   throws   Error{bad_input} "Region is missing" when there is none
aws::Config aws_config(workflow::ActionContext& context, const std::string& region = "");

/// A file of the job as slipway finds it; `path` absolute or relative to the workspace, "~/" is the job's home.
std::filesystem::path job_file(workflow::ActionContext& context, const std::string& path);
/// The path as the job sees it.
std::string job_path(workflow::ActionContext& context, const std::string& path);

}  // namespace slipway::actions
