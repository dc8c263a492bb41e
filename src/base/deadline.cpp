// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.hpp"

#include <algorithm>

namespace slipway {

std::chrono::milliseconds Deadline::left(std::chrono::milliseconds cap) const {
  if (is_never()) return cap;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), cap);
}

}  // namespace slipway
