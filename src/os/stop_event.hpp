// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>

#include "os/fd.hpp"

namespace slipway::os {

/// A descriptor that becomes readable when `stop` is asked for, so that a poll() beside other descriptors wakes.
class StopEvent final {
 public:
  explicit StopEvent(const std::stop_token& stop);
  [[nodiscard]] int get() const { return fd_.get(); }

 private:
  Fd fd_;
  std::stop_callback<std::function<void()>> callback_;
};

}  // namespace slipway::os
