// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "workflow/model.hpp"

namespace slipway::workflow {

/// Gives the text of a called workflow, by what `uses:` says; nothing when it cannot be found.
using WorkflowLoader = std::function<std::optional<std::string>(const std::string& uses)>;

struct ReadOptions {
  /// Empty: called workflows are not read (jobs keep callee null).
  WorkflowLoader loader;
  /// The repository's default for a workflow without `permissions`: true is read-only contents and packages.
  bool default_permissions_are_limited = false;
  /// Of the job that calls this workflow; not given for a workflow that an event starts.
  Permissions inherited;
  int max_call_depth = 10;
};

struct ReadResult {
  Workflow workflow;
  std::vector<Diagnostic>
      diagnostics;  ///< all of them, in the file's order; empty: `workflow` is whole
  [[nodiscard]] bool ok() const { return diagnostics.empty(); }
};

/// Reads a workflow file and everything it calls. Every wrong key, value, expression, context and reference is a diagnostic.
///   file    for the diagnostics
///   source  runner, src/Sdk/WorkflowParser; the schema of github.com/actions/languageservices
ReadResult read_workflow(std::string_view text, const std::string& file,
                         const ReadOptions& options = {});

struct ReadActionResult {
  ActionFile action;
  std::vector<Diagnostic> diagnostics;
  [[nodiscard]] bool ok() const { return diagnostics.empty(); }
};

/// Reads an action.yml or action.yaml.
ReadActionResult read_action(std::string_view text, const std::string& file);

}  // namespace slipway::workflow
