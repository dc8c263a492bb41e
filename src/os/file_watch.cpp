// SPDX-License-Identifier: Apache-2.0
#include "os/file_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "os/stop_event.hpp"

namespace slipway::os {

FileWatch::FileWatch(const std::filesystem::path& path)
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_.is_open()) throw_errno("inotify");
  if (::inotify_add_watch(inotify_.get(), path.c_str(),
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
    throw_errno(fmt::format("watching '{}'", path.string()));
  }
}

bool FileWatch::wait(const std::stop_token& stop, Deadline deadline) {
  StopEvent wake(stop);
  std::array<pollfd, 2> fds = {{{inotify_.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
  while (!stop.stop_requested() && !deadline.passed()) {
    int timeout = static_cast<int>(deadline.left(std::chrono::hours(1)).count());
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) throw_errno("poll");
    if (fds[0].revents == 0) continue;
    std::array<char, 4096> drop{};
    while (::read(inotify_.get(), drop.data(), drop.size()) > 0) {
    }
    return true;
  }
  return false;
}

}  // namespace slipway::os
