// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <vector>

#include "deploy/bootstrap.hpp"
#include "workflow/event.hpp"
#include "workflow/model.hpp"

namespace slipway::actions {

/// What the workflows' AWS steps need, found by evaluating their inputs for a push to the default branch and for a version tag:
/// configure-aws-credentials names role and region, build-push-action the repositories, the ECS actions task definition files,
/// clusters and services.
///   root    the repository's working tree, where the task definition files are
///   event   of a push; its repository and default branch are used
///   throws  Error{bad_input} with file:line:column for a task definition that is missing or broken, or an input that cannot be
///           known before a run
deploy::Needs needs_of(const std::vector<std::shared_ptr<const workflow::Workflow>>& workflows,
                       const workflow::Event& event, const std::filesystem::path& root);

}  // namespace slipway::actions
