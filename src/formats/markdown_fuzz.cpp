// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "formats/markdown.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto shown = slipway::formats::markdown_for_terminal({reinterpret_cast<const char*>(data), size});
  // Attributes of ours only, and each is ended.
  std::size_t open = 0;
  for (auto at = shown.find('\x1b'); at != std::string::npos; at = shown.find('\x1b', at + 1)) {
    bool is_end = shown.compare(at, 4, "\x1b[0m") == 0;
    if (shown[at + 1] != '[' || open == (is_end ? 0U : 1U)) __builtin_trap();
    open = is_end ? 0 : 1;
  }
  if (open != 0) __builtin_trap();
  return 0;
}
