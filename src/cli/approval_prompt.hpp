// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "base/task_group.hpp"
#include "cli/run_view.hpp"

namespace slipway::cli {

/// Who calls, as reviewers are named: SLIPWAY_USER, else the user's own name.
std::string reviewer_name();

/// While it lives: jobs that wait for a review that this user may give are asked about on the terminal. An answer from
/// elsewhere (`slipway approve`) takes the question back. Without a terminal nothing is asked.
class ApprovalPrompt final {
 public:
  ///   approvals  the run's directory of requests
  ///   view       shows the question
  ApprovalPrompt(std::filesystem::path approvals, RunView& view);
  ApprovalPrompt(const ApprovalPrompt&) = delete;
  ApprovalPrompt& operator=(const ApprovalPrompt&) = delete;
  ~ApprovalPrompt();

 private:
  void watch(const std::stop_token& stop);
  std::filesystem::path approvals_;
  RunView& view_;
  TaskGroup group_;  // last: its thread uses the others
};

}  // namespace slipway::cli
