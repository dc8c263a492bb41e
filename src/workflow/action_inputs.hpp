// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "workflow/action.hpp"
#include "workflow/job_state.hpp"

// What a step gives to the action it uses. It is evaluated anew at every stage, so that `${{ job.status }}` in `with` is the job's
// end in a post.
//   source  actions/runner ActionRunner.cs
namespace slipway::workflow {

/// `with`, and the defaults of what stands not in it; names in lower case. Warns of inputs that the action does not have, and of those it
/// calls deprecated.
///   throws  Error{bad_input} for an expression that cannot be evaluated
Variables inputs_of(StepCall& call, const ActionFile& file);
/// The same for an action that is built in.
Variables inputs_of(StepCall& call, const std::vector<ActionInput>& declared);
/// The folded head of an action's log: what it is given, and the step's environment.
void show_action_header(StepCall& call, const Variables& inputs);
/// INPUT_* names: upper case, only blanks change.
std::string input_variable(std::string_view name);
/// Replaces each `${{ }}` of a text by its value. throws Error{bad_input} for one that is no expression
std::string interpolate(std::string_view text, const Contexts& contexts);

}  // namespace slipway::workflow
