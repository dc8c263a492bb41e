// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <vector>

#include "workflow/job_state.hpp"

namespace slipway::workflow {

/// The files GITHUB_ENV, GITHUB_OUTPUT, GITHUB_PATH, GITHUB_STATE and GITHUB_STEP_SUMMARY of one process of a step: made fresh, named in
/// the call's `github` context, removed at the end.
class StepFiles final {
 public:
  StepFiles(JobMachine& machine, StepCall& call);
  StepFiles(const StepFiles&) = delete;
  StepFiles& operator=(const StepFiles&) = delete;
  ~StepFiles();
  /// Reads what the process wrote, also after a failure.
  void read(StepOutput& output) const;

 private:
  std::vector<std::filesystem::path> paths_;  // in the order of reading
};

}  // namespace slipway::workflow
