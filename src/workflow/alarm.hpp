// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>

#include "base/deadline.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"

namespace slipway::workflow {

/// Calls `ring` when a deadline passes before the object's end; from another thread.
class Alarm final {
 public:
  Alarm(Deadline deadline, std::function<void()> ring) : group_(std::stop_token()) {
    if (deadline.is_never()) return;
    group_.start([this, deadline, ring = std::move(ring)](std::stop_token stop) {
      off_.wait(
          stop, deadline, [](bool off) { return off; }, [](bool) {});
      if (!stop.stop_requested() && deadline.passed()) ring();
    });
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() = default;

 private:
  Guarded<bool> off_;  // never set: the group's stop ends the wait
  TaskGroup group_;
};

}  // namespace slipway::workflow
