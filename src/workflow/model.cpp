// SPDX-License-Identifier: Apache-2.0
#include "workflow/model.hpp"

#include "base/text.hpp"

namespace slipway::workflow {

std::string step_title(const Step& step, const std::optional<std::string>& evaluated_name,
                       std::string_view evaluated_run) {
  if (evaluated_name && !evaluated_name->empty()) return *evaluated_name;
  if (!step.uses.empty()) return "Run " + step.uses;
  if (!step.wait.empty()) return "Wait for " + join(step.wait, ", ");
  if (step.wait_all) return "Wait for all background steps";
  if (!step.cancel.empty()) return "Cancel " + step.cancel;
  for (auto line : lines_of(evaluated_run)) {
    if (!trim(line).empty()) return fmt::format("Run {}", trim(line));
  }
  return "Run";
}

Access Permissions::of(std::string_view scope, Access otherwise) const {
  if (!given) return otherwise;
  if (auto own = scopes.find(std::string(scope)); own != scopes.end()) return own->second;
  return all.value_or(Access::none);
}

const Job* Workflow::find_job(std::string_view id) const {
  for (const auto& job : jobs) {
    if (compare_ignoring_case(job.id, id) == 0) return &job;
  }
  return nullptr;
}

const Trigger* Workflow::find_trigger(std::string_view event) const {
  for (const auto& trigger : triggers) {
    if (trigger.event == event) return &trigger;
  }
  return nullptr;
}

std::string Workflow::title() const { return name.text.empty() ? file : name.text; }

}  // namespace slipway::workflow
