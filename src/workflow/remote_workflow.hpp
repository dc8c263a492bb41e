// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <stop_token>
#include <string>

#include "workflow/action_source.hpp"
#include "workflow/model.hpp"

namespace slipway::workflow {

/// A workflow of another repository.
struct RemoteWorkflow {
  std::shared_ptr<const Workflow> workflow;  // shared with nobody: models are handed around so
  std::string ref;                           ///< "owner/repo/.github/workflows/x.yml@refs/tags/v1"
};

/// Fetches the workflow that `job` calls by `owner/repo/path@ref`, reads it and holds the call against it.
///   throws  Error{not_found, bad_input, unavailable, denied}; Cancelled
RemoteWorkflow fetch_workflow(const Job& job, ActionSource& source, std::stop_token stop);

/// "owner/repo" and "refs/heads/main" of "owner/repo/.github/workflows/x.yml@refs/heads/main".
struct WorkflowHome {
  std::string repository;
  std::string ref;
};
WorkflowHome home_of(const std::string& workflow_ref);

}  // namespace slipway::workflow
