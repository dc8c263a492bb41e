// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "os/fd.hpp"

namespace slipway::os {

/// Reads descriptors to their ends and drops what comes: so whoever still writes to an output that nobody wants any more neither
/// waits nor ends by SIGPIPE.
///   threads  any
class Drain final {
 public:
  Drain() = default;
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;
  /// Closes those that have not ended.
  ~Drain() = default;

  /// Takes over the read end of a pipe. Its thread starts with the first.
  void take(Fd output);

 private:
  struct Taken {
    std::vector<Fd> fresh;  // not yet seen by the thread
    Fd wake;                // an eventfd; open: the thread runs
  };
  void read_on(int wake, const std::stop_token& stop);

  Guarded<Taken> taken_;
  TaskGroup thread_{std::stop_token{}};  // last: it uses the other
};

}  // namespace slipway::os
