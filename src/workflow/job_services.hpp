// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/task_group.hpp"
#include "workflow/job_machine.hpp"
#include "workflow/value.hpp"

namespace slipway::workflow {

class StepOutput;

/// The service containers of one job, all starting at a time while the job gets on with what does not need them.
class JobServices final {
 public:
  /// Begins to start them.
  ///   machine  outlives this object
  JobServices(JobMachine& machine, std::vector<ContainerOrder> orders, std::stop_token stop);
  /// Waits until all are up; what each said is then in `output`, in their order.
  ///   returns  the `job.services` context
  ///   throws   the Error of one that did not come up, Cancelled
  Value wait(StepOutput& output);
  [[nodiscard]] Deadline::Clock::time_point began() const { return began_; }

 private:
  struct Start {
    std::string log;
    std::optional<RunningService> service;
  };
  void tell(StepOutput& output) const;

  std::vector<ContainerOrder> orders_;
  std::vector<Start> starts_;  // one an order; each belongs to its thread until wait() has joined
  Deadline::Clock::time_point began_ = Deadline::Clock::now();
  TaskGroup group_;  // last: its threads use the others
};

}  // namespace slipway::workflow
