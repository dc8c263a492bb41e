// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "base/task_group.hpp"
#include "formats/json.hpp"
#include "os/fd.hpp"
#include "workflow/job_tool.hpp"

namespace slipway::workflow {

/// Where the directory of a job's tool sockets is inside its machine.
inline constexpr const char* kToolsInside = "/run/slipway-tools";

/// Answers a tool's calls from inside one job, on a socket in `directory`. The caller's stdin, stdout and stderr come along, so
/// that output goes where the caller's would.
class ToolSocket final {
 public:
  struct Job {
    JobMachine& machine;
    formats::Json github;
    const std::filesystem::path& repository;
    const std::filesystem::path& ca_bundle;
    const std::function<std::optional<std::string>(std::string_view)>& route;
  };
  /// Listens at once. throws Error{unavailable}
  ToolSocket(const std::filesystem::path& directory, JobTool& tool, Job job);
  ToolSocket(const ToolSocket&) = delete;
  ToolSocket& operator=(const ToolSocket&) = delete;
  /// Ends the calls that are under way.
  ~ToolSocket();

 private:
  void accept_all(const std::stop_token& stop);
  void answer(const os::Fd& caller, const std::stop_token& stop);

  JobTool& tool_;
  Job job_;
  os::Fd listener_;
  TaskGroup calls_;
};

/// The caller's side, inside the job: `argv` is {name, arguments…}. Returns the tool's exit code.
int call_job_tool(int argc, char** argv);

}  // namespace slipway::workflow
