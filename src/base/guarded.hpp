// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

#include "base/deadline.hpp"

namespace slipway {

/// A value that can only be reached with its lock held. Never call out (sink, interface, log) from inside.
template <typename T>
class Guarded final {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  /// Runs `use(value)` with the lock held, wakes the waiters, returns its result.
  template <typename Use>
  decltype(auto) with(Use&& use) {
    struct Wake {
      std::condition_variable_any& changed;
      ~Wake() { changed.notify_all(); }
    } wake{changed_};
    std::lock_guard lock(mutex_);
    return std::forward<Use>(use)(value_);
  }
  /// The same for reading: wakes nobody.
  template <typename Use>
  decltype(auto) read(Use&& use) const {
    std::lock_guard lock(mutex_);
    return std::forward<Use>(use)(value_);
  }
  /// Waits until `ready(value)`, then runs `use(value)` with the lock still held.
  ///   returns   false when stopped or past the deadline; `use` did not run then
  template <typename Ready, typename Use>
  bool wait(const std::stop_token& stop, Deadline deadline, Ready&& ready, Use&& use) {
    std::unique_lock lock(mutex_);
    auto is_ready = [&] { return ready(value_); };
    bool met = deadline.is_never() ? changed_.wait(lock, stop, is_ready)
                                   : changed_.wait_until(lock, stop, deadline.at(), is_ready);
    if (!met) return false;
    use(value_);
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  T value_{};
};

}  // namespace slipway
