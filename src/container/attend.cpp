// SPDX-License-Identifier: Apache-2.0
#include "container/attend.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"

namespace slipway::container {

bool pass_on(int fd, const OutputSink& sink) {
  std::array<char, 65536> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  ssize_t n = ::read(fd, chunk.data(), chunk.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n > 0 && sink) sink({chunk.data(), static_cast<std::size_t>(n)});
  return n > 0;
}

bool drain(int fd, const OutputSink& sink, bool whole) {
  auto end =
      Deadline::in(whole ? std::chrono::milliseconds(kLeftOpen) : std::chrono::milliseconds(0));
  for (;;) {
    // One read takes what is in the pipe at the last look, however fast others go on writing.
    bool is_last = end.passed();
    pollfd output{fd, POLLIN, 0};
    int ready = ::poll(&output, 1, static_cast<int>(end.left().count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready > 0 && !pass_on(fd, sink)) return true;
    if (is_last) return false;
  }
}

StopSignal::StopSignal(const std::stop_token& stop)
    : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, [this] {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(fd_.get(), &one, sizeof one);
      }) {}

int StopLadder::due(bool stopped) {
  bool is_first = rung_ == 0;
  if (is_first ? !(stopped || next_.passed()) : !next_.passed()) return 0;
  if (rung_ < 1) {
    rung_ = 1;
    if (steps_.after_interrupt.count() > 0) {
      next_ = Deadline::in(steps_.after_interrupt);
      return SIGINT;
    }
  }
  if (rung_ < 2) {
    rung_ = 2;
    if (steps_.after_terminate.count() > 0) {
      next_ = Deadline::in(steps_.after_terminate);
      return SIGTERM;
    }
  }
  rung_ = 3;
  next_ = Deadline::in(
      std::chrono::milliseconds(200));  // once more: it may have been on its way into the container
  return SIGKILL;
}

os::Exit attend(os::Process& process, const RunIo& io, bool whole_output, const StopSteps& steps,
                const std::stop_token& stop, Deadline deadline,
                const std::function<void(int)>& send) {
  StopSignal wake(stop);
  StopLadder ladder(steps, deadline);
  int output = process.output().get();
  for (;;) {
    if (int signal = ladder.due(stop.stop_requested())) send(signal);
    std::array<pollfd, 3> fds = {{{process.pidfd().get(), POLLIN, 0},
                                  {ladder.has_begun() ? -1 : wake.get(), POLLIN, 0},
                                  {output, POLLIN, 0}}};
    auto timeout = ladder.next().left(std::chrono::hours(1));
    if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) < 0 && errno != EINTR)
      os::throw_errno("poll");
    if (fds[0].revents != 0) break;
    if (fds[2].revents != 0 && !pass_on(output, io.sink)) output = -1;
  }
  bool is_open = output >= 0 && !drain(output, io.sink, whole_output || io.on_left_open != nullptr);
  if (is_open && io.on_left_open) io.on_left_open(process.take_output());
  return *process.wait({}, Deadline::never());
}

void throw_if_stopped(const std::stop_token& stop, Deadline deadline) {
  if (stop.stop_requested()) throw Cancelled();
  if (deadline.passed()) fail(Fault::failed, "timed out");
}

}  // namespace slipway::container
