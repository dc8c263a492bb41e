// SPDX-License-Identifier: Apache-2.0
#include "workflow/read_workflow.hpp"

#include <algorithm>
#include <map>

#include "formats/yaml.hpp"
#include "workflow/check_call.hpp"
#include "workflow/read_parts.hpp"

namespace slipway::workflow {
namespace {

// Reads a file and, through the loader, what it calls; every file once.
class WorkflowReader final {
 public:
  explicit WorkflowReader(const ReadOptions& options) : options_(options) {}

  ReadResult read(std::string_view text, const std::string& file, int depth,
                  const Permissions& inherited) {
    ReadResult result;
    result.workflow.file = file;
    auto document = formats::parse_yaml(text, file);
    if (!document.ok()) {
      result.diagnostics = std::move(document.diagnostics);
      return result;
    }
    Findings findings(file);
    auto root = read_by_schema(document.root, workflow_schema().at("workflow"), findings);
    convert(root, inherited, result.workflow, findings);
    if (options_.loader && depth <= options_.max_call_depth)
      read_callees(result.workflow, depth, findings);
    result.diagnostics = findings.take();
    return result;
  }

 private:
  static void convert(Template& root, const Permissions& inherited, Workflow& workflow,
                      Findings& findings) {
    workflow.name = root["name"];
    workflow.run_name = root["run-name"];
    workflow.triggers = read_triggers(root["on"], findings);
    workflow.env = root["env"];
    workflow.defaults = read_defaults(root["defaults"]);
    workflow.permissions = read_permissions(root["permissions"]);
    workflow.concurrency = root["concurrency"];
    check_concurrency(workflow.concurrency, findings);
    workflow.jobs = read_jobs(root.take("jobs"), findings);
    for (auto& job : workflow.jobs) {
      if (!job.permissions.given)
        job.permissions = workflow.permissions.given ? workflow.permissions : inherited;
    }
  }

  void read_callees(Workflow& workflow, int depth, Findings& findings) {
    for (auto& job : workflow.jobs) {
      if (!job.is_call()) continue;
      if (depth >= options_.max_call_depth) {
        findings.add(job.uses_place, fmt::format("Nested reusable workflow depth exceeded {}.",
                                                 options_.max_call_depth - 1));
        continue;
      }
      job.callee = callee(job, depth, findings);
      if (job.callee)
        check_call(job, *job.callee, options_.default_permissions_are_limited, findings);
    }
  }

  std::shared_ptr<const Workflow> callee(const Job& job, int depth, Findings& findings) {
    // A workflow is read again for each depth and caller's permissions: how deep it may call on and what its jobs may do
    // depend on them.
    auto& known = callees_[std::make_pair(job.uses, depth)];
    for (const auto& [permissions, workflow] : known) {
      if (permissions == job.permissions) return workflow;
    }
    auto text = options_.loader(job.uses);
    if (!text) {
      if (job.uses.starts_with("./")) {
        findings.add(job.uses_place,
                     fmt::format("the called workflow '{}' does not exist", job.uses));
      }
      return nullptr;
    }
    auto file = job.uses.starts_with("./") ? job.uses.substr(2) : job.uses;
    auto result = read(*text, file, depth + 1, job.permissions);
    bool is_whole = result.ok();
    findings.add(std::move(result.diagnostics));
    auto shared = is_whole ? std::make_shared<const Workflow>(std::move(result.workflow)) : nullptr;
    known.emplace_back(job.permissions, shared);
    return shared;
  }

  const ReadOptions& options_;
  using Callees = std::vector<std::pair<Permissions, std::shared_ptr<const Workflow>>>;
  std::map<std::pair<std::string, int>, Callees> callees_;
};

}  // namespace

ReadResult read_workflow(std::string_view text, const std::string& file,
                         const ReadOptions& options) {
  auto result = WorkflowReader(options).read(text, file, 1, options.inherited);
  std::stable_sort(result.diagnostics.begin(), result.diagnostics.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) {
                     if ((a.file == file) != (b.file == file)) return a.file == file;
                     if (a.file != b.file) return false;
                     return std::make_pair(a.line, a.column) < std::make_pair(b.line, b.column);
                   });
  auto& all = result.diagnostics;  // a file that two jobs call says the same twice
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return result;
}

}  // namespace slipway::workflow
