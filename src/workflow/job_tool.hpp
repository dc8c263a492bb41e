// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/job_machine.hpp"

namespace slipway::formats {
class Json;
}

namespace slipway::workflow {

/// One call of a tool from inside a job. Descriptors are the caller's own and borrowed.
struct ToolCall {
  std::vector<std::string> argv;           ///< argv[0]: the tool's name
  std::map<std::string, std::string> env;  ///< the caller's
  std::string cwd;                         ///< the caller's, as the job sees it
  int in = -1;
  int out = -1;
  int err = -1;
  JobMachine& machine;
  const formats::Json& github;              ///< the job's `github` context
  const std::filesystem::path& repository;  ///< as ActionContext::source_repository
  const std::filesystem::path& ca_bundle;   ///< as ActionContext::ca_bundle
  const std::function<std::optional<std::string>(std::string_view)>& route;  ///< may be empty
  std::stop_token stop;  ///< the caller has ended, or the job is over
};

/// A program that jobs find in PATH and that slipway itself answers: `docker`, without a docker.
class JobTool {
 public:
  JobTool() = default;
  JobTool(const JobTool&) = delete;
  JobTool& operator=(const JobTool&) = delete;
  virtual ~JobTool() = default;
  /// The name it is found by.
  [[nodiscard]] virtual std::string name() const = 0;
  /// Does what the call asks; writes to its descriptors.
  ///   returns  the exit code
  ///   throws   Error: told on err, the code is then 1
  ///   threads  several calls at a time
  virtual int run(ToolCall& call) = 0;
};

}  // namespace slipway::workflow
