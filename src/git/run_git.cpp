// SPDX-License-Identifier: Apache-2.0
#include "git/run_git.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::git {

os::Captured run_git(const Path& repository, std::vector<std::string> arguments,
                     const std::stop_token& stop, Deadline deadline,
                     const std::map<std::string, std::string>& env, std::string_view input) {
  os::Command command;
  command.argv = {"git",
                  "-c",
                  "safe.directory=*",
                  "-c",
                  "core.hooksPath=/dev/null",
                  "-c",
                  "protocol.ext.allow=never",
                  "-c",
                  "gc.auto=0",
                  "-c",
                  "maintenance.auto=false",
                  "-c",
                  "core.quotePath=false",
                  "-c",
                  "advice.detachedHead=false"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.cwd = repository.string();
  auto variables = os::environment();
  // A hook or another git above us must not decide which repository this is.
  for (const char* name :
       {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"}) {
    variables.erase(name);
  }
  variables["GIT_CONFIG_NOSYSTEM"] = "1";
  variables["GIT_TERMINAL_PROMPT"] = "0";
  variables["GIT_PAGER"] = "cat";
  variables["GIT_OPTIONAL_LOCKS"] = "0";
  variables["LC_ALL"] = "C.UTF-8";
  for (const auto& [name, value] : env) variables[name] = value;
  command.env = std::move(variables);
  return os::capture(std::move(command), stop, deadline, input);
}

std::string complaint_of(const os::Captured& captured) {
  std::string last;
  for (auto line : lines_of(captured.err)) {
    if (!trim(line).empty()) last = std::string(trim(line));
  }
  for (std::string_view prefix : {"fatal: ", "error: "}) {
    if (last.starts_with(prefix)) last.erase(0, prefix.size());
  }
  return last.empty() ? os::to_string(captured.exit) : last;
}

std::string git_output(const Path& repository, std::vector<std::string> arguments,
                       const std::stop_token& stop, Deadline deadline,
                       const std::map<std::string, std::string>& env) {
  auto verb = arguments.empty() ? std::string() : arguments[0];
  auto captured = run_git(repository, std::move(arguments), stop, deadline, env);
  if (!captured.exit.ok()) fail(Fault::unavailable, "git {}: {}", verb, complaint_of(captured));
  while (captured.out.ends_with('\n')) captured.out.pop_back();
  return captured.out;
}

}  // namespace slipway::git
