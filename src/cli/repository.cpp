// SPDX-License-Identifier: Apache-2.0
#include "cli/repository.hpp"

#include "actions/needs.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"
#include "workflow/plan.hpp"

namespace slipway::cli {

std::filesystem::path repository_top(const std::filesystem::path& cwd,
                                     const std::stop_token& stop) {
  auto answer = os::capture({.argv = {"git", "rev-parse", "--show-toplevel"}, .cwd = cwd.string()},
                            stop, Deadline::in(std::chrono::seconds(10)));
  if (!answer.exit.ok())
    fail(Fault::bad_input, "'{}' is not in a git repository: {}", cwd.string(), trim(answer.err));
  return std::filesystem::path(trim(answer.out));
}

Project read_project(const Surroundings& around, const std::vector<std::string>& files,
                     const std::string& ref, const std::string& sha) {
  Project project;
  project.top = repository_top(around.cwd, around.stop);
  project.workflows = workflow::load_workflows(project.top, files);
  project.event = workflow::make_event(project.top, {.ref = ref}, around.stop);
  if (!sha.empty()) project.event.sha = sha;
  project.needs = actions::needs_of(project.workflows, project.event, project.top);
  return project;
}

}  // namespace slipway::cli
