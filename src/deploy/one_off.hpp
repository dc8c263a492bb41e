// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "deploy/calls.hpp"
#include "deploy/verdict.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// A task that runs once, beside a service: its network, its task definition, another command in one container.
struct OneOff {
  std::string cluster;
  std::string service;          ///< whose network and launch type are used
  std::string task_definition;  ///< ARN; empty: the service's
  std::string container;        ///< whose command is replaced; empty: the first essential one
  std::vector<std::string> command;
  std::string started_by = "slipway";
};

struct OneOffResult {
  std::string task;       ///< ARN
  std::string container;  ///< whose end counts
  int exit_code = -1;     ///< -1: it never ran
  std::string reason;     ///< one line; empty for exit code 0
  [[nodiscard]] bool ok() const { return exit_code == 0; }
};

/// RunTask (with a client token, so that a lost answer runs nothing twice), then watches until it has stopped.
///   log     gets what the container logs as it comes; may be empty
///   throws  Error{failed} when the cloud does not run it, or at the deadline, naming the task, which then is stopped
OneOffResult run_one_off(Calls& calls, const OneOff& what, Deadline deadline,
                         const std::function<void(const std::string&)>& log,
                         const std::stop_token& stop);

}  // namespace slipway::deploy
