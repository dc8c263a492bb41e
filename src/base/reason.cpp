// SPDX-License-Identifier: Apache-2.0
#include "base/reason.hpp"

#include <cerrno>
#include <cstring>

namespace slipway {

std::string reason_of(int error) {
  std::string words = std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
  if (error == ENOSPC || error == EDQUOT)
    words +=
        "; make room on that disk ('slipway prune' removes what no image uses, 'slipway prune "
        "--all' the build cache too)";
  return words;
}

}  // namespace slipway
