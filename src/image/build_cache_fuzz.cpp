// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "image/build_cache.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    slipway::image::parse_cache({reinterpret_cast<const char*>(data), size});
  } catch (const slipway::Error&) {  // NOLINT(bugprone-empty-catch): bad input is told so
  }
  return 0;
}
