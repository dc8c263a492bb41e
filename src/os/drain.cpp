// SPDX-License-Identifier: Apache-2.0
#include "os/drain.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "os/stop_event.hpp"

namespace slipway::os {
namespace {

// False at its end.
bool drop_some(int fd) {
  std::array<char, 65536> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  auto count = ::read(fd, chunk.data(), chunk.size());
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

}  // namespace

void Drain::take(Fd output) {
  bool is_first = taken_.with([&](Taken& taken) {
    taken.fresh.push_back(std::move(output));
    bool is_new = !taken.wake.is_open();
    if (is_new) taken.wake = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!taken.wake.is_open()) throw_errno("eventfd");
    std::uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(taken.wake.get(), &one, sizeof one);
    return is_new;
  });
  if (!is_first) return;
  int wake = taken_.read([](const Taken& taken) { return taken.wake.get(); });
  thread_.start([this, wake](const std::stop_token& stop) { read_on(wake, stop); });
}

void Drain::read_on(int wake, const std::stop_token& stop) {
  StopEvent stopped(stop);
  std::vector<Fd> outputs;
  while (!stop.stop_requested()) {
    std::vector<pollfd> fds = {{stopped.get(), POLLIN, 0}, {wake, POLLIN, 0}};
    for (const auto& output : outputs) fds.push_back({output.get(), POLLIN, 0});
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("poll");
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (fds[i + 2].revents != 0 && !drop_some(outputs[i].get())) outputs[i].reset();
    }
    std::erase_if(outputs, [](const Fd& output) { return !output.is_open(); });
    if (fds[1].revents == 0) continue;
    std::uint64_t count = 0;
    [[maybe_unused]] auto n = ::read(wake, &count, sizeof count);
    taken_.with([&](Taken& taken) {
      for (auto& output : taken.fresh) outputs.push_back(std::move(output));
      taken.fresh.clear();
    });
  }
}

}  // namespace slipway::os
