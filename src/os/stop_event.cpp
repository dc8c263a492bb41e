// SPDX-License-Identifier: Apache-2.0
#include "os/stop_event.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace slipway::os {

StopEvent::StopEvent(const std::stop_token& stop)
    : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, [this] {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(fd_.get(), &one, sizeof one);
      }) {
  if (!fd_.is_open()) throw_errno("eventfd");
}

}  // namespace slipway::os
