// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "workflow/model.hpp"
#include "workflow/schema.hpp"
#include "workflow/schema_reader.hpp"

// From templates that the schema has passed to the model. Each adds what it finds wrong and goes on.
namespace slipway::workflow {

std::vector<Trigger> read_triggers(const Template& on, Findings& findings);
Permissions read_permissions(const Template& value);
Defaults read_defaults(const Template& value);
/// `if`: parsed and with its implied success().
///   wrap  false for pre-if and post-if
Condition read_condition(const Template& value, const Availability& available, bool wrap,
                         Findings& findings);
/// The steps of a job or composite action, with ids for those that have none; a `parallel` group becomes background
/// steps and a wait for them.
///   value         what becomes a part of a step is moved out of it
///   if_available  of their `if`
std::vector<Step> read_steps(Template& value, const Availability& if_available, Findings& findings);
void check_concurrency(const Template& concurrency, Findings& findings);
std::vector<Job> read_jobs(Template jobs, Findings& findings);

}  // namespace slipway::workflow
