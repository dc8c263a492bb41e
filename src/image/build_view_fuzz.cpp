// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "image/build_view.hpp"

using namespace slipway;

// Whatever a step writes, and in whatever pieces: no frame moves the terminal or is wider than it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const image::BuildView::Time start{};
  image::BuildView view(start);
  const image::BuildView::Screen screen{.columns = 30, .rows = 10};
  view.take({.kind = image::Progress::Kind::started, .step = 1, .name = std::string(text)}, start);
  for (std::size_t at = 0; at < text.size(); at += 7) {
    view.take(
        {.kind = image::Progress::Kind::output, .step = 1, .name = std::string(text.substr(at, 7))},
        start);
  }
  auto lines = view.frame(screen, start);
  if (lines.size() >= screen.rows) std::abort();
  for (const auto& line : lines) {
    std::size_t width = 0;
    for (char c : line) {
      auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7F) std::abort();
      width += (byte & 0xC0) != 0x80 ? 1 : 0;
    }
    if (width >= screen.columns) std::abort();
  }
  return 0;
}
