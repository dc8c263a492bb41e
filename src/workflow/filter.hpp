// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "workflow/event.hpp"
#include "workflow/model.hpp"

namespace slipway::workflow {

/// Whether one branch, tag or path matches one pattern (without a leading '!').
///   source  docs.github.com, "Filter pattern cheat sheet"
bool matches_filter(std::string_view pattern, std::string_view text);
/// Whether the patterns, in order with '!' negation, select the text: the last pattern that matches decides.
bool is_selected(const std::vector<std::string>& patterns, std::string_view text);
/// `branches`/`paths` semantics: skipped unless at least one input is selected.
bool only_filter_skips(const std::vector<std::string>& patterns,
                       const std::vector<std::string>& inputs);
/// `branches-ignore`/`paths-ignore` semantics: skipped when every input is matched.
bool ignore_filter_skips(const std::vector<std::string>& patterns,
                         const std::vector<std::string>& inputs);

/// Whether an event starts a workflow, and why (not): "push to main matches branches", "no trigger for push".
struct TriggerDecision {
  bool starts = false;
  std::string reason;
};
TriggerDecision decide(const Workflow& workflow, const Event& event);

}  // namespace slipway::workflow
