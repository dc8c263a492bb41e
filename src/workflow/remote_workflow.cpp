// SPDX-License-Identifier: Apache-2.0
#include "workflow/remote_workflow.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/check_call.hpp"
#include "workflow/read_workflow.hpp"

namespace slipway::workflow {

RemoteWorkflow fetch_workflow(const Job& job, ActionSource& source, std::stop_token stop) {
  auto reference = parse_action_reference(job.uses);
  const auto* remote = std::get_if<RemoteAction>(&reference);
  if (!remote || remote->path.empty())
    fail(Fault::bad_input, "'{}' is no workflow file of a repository", job.uses);
  return while_doing(fmt::format("calling {}", job.uses), [&] {
    auto found = source.find(*remote, std::move(stop));
    auto text = os::read_file_if_exists(found.directory / remote->path);
    if (!text)
      fail(Fault::not_found, "the repository has no file '{}' at {}", remote->path, remote->ref);
    ReadOptions options;
    options.loader = [&](const std::string& uses) -> std::optional<std::string> {
      if (!uses.starts_with("./")) return std::nullopt;
      return os::read_file_if_exists(found.directory / uses.substr(2));
    };
    options.inherited = job.permissions;
    auto read = read_workflow(*text, remote->full_name(), options);
    if (!read.ok()) throw_diagnostics(read.diagnostics);
    RemoteWorkflow result{
        .workflow = std::make_shared<const Workflow>(std::move(read.workflow)),
        .ref = remote->full_name() + "@" + (found.full_ref.empty() ? remote->ref : found.full_ref)};
    Findings findings(job.uses);
    check_call(job, *result.workflow, false, findings);
    if (auto problems = findings.take(); !problems.empty()) throw_diagnostics(problems);
    return result;
  });
}

WorkflowHome home_of(const std::string& workflow_ref) {
  auto at = workflow_ref.find('@');
  auto slash = workflow_ref.find('/');
  auto end = slash == std::string::npos ? slash : workflow_ref.find('/', slash + 1);
  return {.repository = workflow_ref.substr(0, std::min(end, at)),
          .ref = at == std::string::npos ? "" : workflow_ref.substr(at + 1)};
}

}  // namespace slipway::workflow
