// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>

#include "base/deadline.hpp"
#include "container/runtime.hpp"
#include "os/process.hpp"

namespace slipway::container {

/// A descriptor that becomes readable when `stop` is asked for: wakes a poll().
class StopSignal final {
 public:
  explicit StopSignal(const std::stop_token& stop);
  [[nodiscard]] int get() const { return fd_.get(); }

 private:
  os::Fd fd_;
  std::stop_callback<std::function<void()>> callback_;
};

/// The signals to send once stopped, at their times: a small state machine so that any loop can follow the steps.
class StopLadder final {
 public:
  StopLadder(const StopSteps& steps, Deadline deadline) : steps_(steps), next_(deadline) {}
  /// The signal that is due now, or 0. `stopped`: a stop was asked for.
  int due(bool stopped);
  /// When due() is to be asked again at the latest.
  [[nodiscard]] Deadline next() const { return next_; }
  [[nodiscard]] bool has_begun() const { return rung_ > 0; }

 private:
  StopSteps steps_;
  Deadline next_;
  int rung_ = 0;
};

/// Feeds `sink` with a process's output until it ends. When stopped or past the deadline, `send` gets the signals of `steps`.
///   whole_output  true: reads on until the output's end, false: takes only what is there (others may hold it open), or follows
///                 io.on_left_open
///   returns       its exit, stopped or not
os::Exit attend(os::Process& process, const RunIo& io, bool whole_output, const StopSteps& steps,
                const std::stop_token& stop, Deadline deadline,
                const std::function<void(int)>& send);

/// Hands one read's worth of output to `sink`; false at its end.
bool pass_on(int fd, const OutputSink& sink);

/// Hands over what is left; `whole`: until the end (kLeftOpen at most), else only what is there already. False when others still
/// hold it open.
bool drain(int fd, const OutputSink& sink, bool whole);

/// Throws Cancelled when `stop` was asked for, Error{failed} "timed out" when the deadline passed.
void throw_if_stopped(const std::stop_token& stop, Deadline deadline);

}  // namespace slipway::container
