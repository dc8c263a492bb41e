// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>

namespace slipway {

/// A steady point in time by which something must be done; passed down, never renewed.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// `span` from now.
  static Deadline in(Clock::duration span) { return Deadline(Clock::now() + span); }
  /// Waits as long as the stop token allows.
  static Deadline never() { return Deadline(Clock::time_point::max()); }

  [[nodiscard]] bool passed() const {
    return at_ != Clock::time_point::max() && Clock::now() >= at_;
  }
  [[nodiscard]] bool is_never() const { return at_ == Clock::time_point::max(); }
  [[nodiscard]] Clock::time_point at() const { return at_; }
  /// Milliseconds left, 0 when passed, rounded up; at most `cap` (also for never()).
  [[nodiscard]] std::chrono::milliseconds left(
      std::chrono::milliseconds cap = std::chrono::hours(24)) const;
  /// The earlier of the two.
  [[nodiscard]] Deadline sooner(Deadline other) const { return at_ <= other.at_ ? *this : other; }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace slipway
