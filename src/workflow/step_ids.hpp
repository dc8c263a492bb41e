// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <set>
#include <string>
#include <string_view>

#include "workflow/expr.hpp"

namespace slipway::workflow {

/// Ids of jobs or of the steps of one job: unique ignoring case, and names made up for steps without one.
///   source  runner, src/Sdk/WorkflowParser/Conversion/IdBuilder.cs
class Ids final {
 public:
  /// "" when the id may be used, else what is wrong with it.
  std::string add(std::string_view id);
  /// "__actions_checkout", "__run_2": for a step that says `uses` (empty for all other steps).
  std::string make_up(std::string_view uses);

 private:
  std::set<std::string, IgnoringCase> known_;
};

}  // namespace slipway::workflow
