// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "image/dockerignore.hpp"

// The first line is a path, the rest an ignore file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto end = text.find('\n');
  std::string_view path = text.substr(0, end);
  auto patterns = read_ignore_file(end == std::string_view::npos ? "" : text.substr(end + 1));
  try {
    IgnoreMatcher matcher(patterns);
    static_cast<void>(matcher.is_ignored(path));
    static_cast<void>(matcher.verdict(path, matcher.verdict(path, {}).as_parent));
  } catch (const slipway::Error&) {  // a malformed pattern is refused
  }
  for (const auto& pattern : patterns) matches_path(pattern, path);
  return 0;
}
