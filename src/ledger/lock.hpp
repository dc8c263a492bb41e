// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>

#include "base/deadline.hpp"
#include "base/task_group.hpp"
#include "ledger/ledger.hpp"

namespace slipway::ledger {

/// Only one at a time works on an environment. The lock is a lease that a thread renews; it falls to the next one when its
/// process has died or the lease runs out. Each holder has a higher epoch than the one before: a release begun under an epoch
/// that is no longer the environment's cannot be issued any more (Ledger::issuing).
class EnvironmentLock final {
 public:
  struct Options {
    std::string
        owner;  ///< "run 7", "rollback by ann": the same owner in the same process may take it again
    bool take_over = false;  ///< do not wait: whoever has it loses it
    Deadline deadline = Deadline::in(std::chrono::minutes(30));
    std::function<void(const std::string& holder)>
        waiting;  ///< called once when it has to wait; may be empty
    std::chrono::milliseconds lease = std::chrono::seconds(30);
  };
  /// throws  Error{conflict} at the deadline, naming the holder; Cancelled
  EnvironmentLock(Ledger& ledger, std::string environment, const Options& options,
                  const std::stop_token& stop);
  EnvironmentLock(const EnvironmentLock&) = delete;
  EnvironmentLock& operator=(const EnvironmentLock&) = delete;
  ~EnvironmentLock();

  [[nodiscard]] std::int64_t epoch() const { return epoch_; }
  /// False once somebody has taken it over.
  [[nodiscard]] bool is_held() const { return ledger_.holds_lock(environment_, epoch_); }

 private:
  void renew(const std::stop_token& stop, std::chrono::milliseconds lease);

  Ledger& ledger_;
  std::string environment_;
  std::int64_t epoch_ = 0;
  TaskGroup renewal_{std::stop_token{}};
};

}  // namespace slipway::ledger
