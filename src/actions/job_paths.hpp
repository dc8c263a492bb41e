// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "workflow/action.hpp"

namespace slipway::actions {

/// What the path patterns of an action name in the job's file system.
struct FoundPaths {
  std::vector<std::string> paths;     ///< absolute, sorted, none below another
  std::vector<std::string> excluded;  ///< by patterns with `!`
};

/// Expands lines of patterns: `*`, `?`, `[…]`, `**`, `~`, a leading `!` takes away; relative ones start at the workspace.
FoundPaths find_paths(workflow::ActionContext& context, const std::vector<std::string>& patterns);

}  // namespace slipway::actions
