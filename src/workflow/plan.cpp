// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/filter.hpp"
#include "workflow/plan_jobs.hpp"
#include "workflow/read_workflow.hpp"

namespace slipway::workflow {
namespace {

Value vars_value(const std::map<std::string, std::string>& vars) {
  std::vector<Value::Member> members;
  for (const auto& [name, value] : vars) members.emplace_back(name, Value(value));
  return Value::object(std::move(members));
}

std::string default_run_name(const Workflow& workflow, const Event& event) {
  auto lines = lines_of(event.commit_message);
  return event.name == "push" && !lines.empty() ? std::string(lines[0]) : workflow.title();
}

PlannedWorkflow plan_workflow(const std::shared_ptr<const Workflow>& workflow, const Event& event,
                              const Selectors& selectors) {
  PlannedWorkflow planned;
  planned.workflow = workflow;
  auto decision = decide(*workflow, event);
  planned.starts = decision.starts || selectors.ignore_triggers;
  planned.reason = decision.reason;
  if (!planned.starts) return planned;
  RunFacts facts;
  facts.workflow = workflow->title();
  facts.workflow_file = workflow->file;
  planned.github = github_context(event, facts);
  planned.inputs = dispatch_inputs(*workflow, event);
  planned.vars = vars_value(selectors.vars);
  Contexts contexts;
  contexts.values["github"] = planned.github;
  contexts.values["inputs"] = planned.inputs;
  contexts.values["vars"] = planned.vars;
  const auto& group =
      workflow->concurrency.is_mapping() ? workflow->concurrency["group"] : workflow->concurrency;
  while_doing(workflow->file, [&] {
    planned.run_name = evaluate_text(workflow->run_name, contexts);
    planned.concurrency = evaluate_text(group, contexts);
  });
  if (trim(planned.run_name).empty()) planned.run_name = default_run_name(*workflow, event);
  std::vector<std::string> wanted;
  for (const auto& id : selectors.jobs) {
    if (workflow->find_job(id) != nullptr) wanted.push_back(id);
  }
  if (wanted.empty() && !selectors.jobs.empty()) {
    planned.starts = false;
    planned.reason = "it has none of the jobs asked for";
    return planned;
  }
  planned.jobs = plan_jobs(*workflow, contexts, selectors, wanted);
  return planned;
}

std::string loaded_path(const std::filesystem::path& repository,
                        const std::filesystem::path& file) {
  auto relative = std::filesystem::absolute(file).lexically_normal().lexically_relative(
      std::filesystem::absolute(repository).lexically_normal());
  return relative.empty() || relative.string().starts_with("..") ? file.string()
                                                                 : relative.string();
}

}  // namespace

bool RunPlan::starts_anything() const {
  return std::any_of(workflows.begin(), workflows.end(),
                     [](const auto& one) { return one.starts; });
}

RunPlan plan(const std::vector<std::shared_ptr<const Workflow>>& workflows, const Event& event,
             const Selectors& selectors) {
  for (const auto& id : selectors.jobs) {
    bool is_known = std::any_of(workflows.begin(), workflows.end(), [&](const auto& workflow) {
      return workflow->find_job(id) != nullptr;
    });
    if (!is_known) fail(Fault::bad_input, "no workflow has a job '{}'", id);
  }
  RunPlan result;
  result.event = event;
  for (const auto& workflow : workflows)
    result.workflows.push_back(plan_workflow(workflow, event, selectors));
  return result;
}

std::vector<std::shared_ptr<const Workflow>> load_workflows(const std::filesystem::path& repository,
                                                            const std::vector<std::string>& files) {
  std::vector<std::filesystem::path> paths(files.begin(), files.end());
  if (files.empty()) {
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(repository / ".github/workflows", none)) {
      auto extension = entry.path().extension();
      if (extension == ".yml" || extension == ".yaml") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    if (paths.empty())
      fail(Fault::not_found, "no workflow in '{}'", (repository / ".github/workflows").string());
  }
  ReadOptions options;
  options.loader = [&](const std::string& uses) -> std::optional<std::string> {
    if (!uses.starts_with("./")) return std::nullopt;
    return os::read_file_if_exists(repository / uses.substr(2));
  };
  std::vector<std::shared_ptr<const Workflow>> result;
  std::vector<Diagnostic> diagnostics;
  for (const auto& path : paths) {
    auto read = read_workflow(os::read_file(path), loaded_path(repository, path), options);
    diagnostics.insert(diagnostics.end(), read.diagnostics.begin(), read.diagnostics.end());
    result.push_back(std::make_shared<const Workflow>(std::move(read.workflow)));
  }
  if (!diagnostics.empty()) throw_diagnostics(diagnostics);
  return result;
}

}  // namespace slipway::workflow
