// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "formats/json.hpp"

/// Any bytes are refused, or give a value that prints to a text which reads back as the same value.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway::formats;
  Json value;
  try {
    value = parse_json({reinterpret_cast<const char*>(data), size});
  } catch (const slipway::Error&) {
    return 0;
  }
  std::string text = value.dump();
  if (parse_json(text).dump() != text) std::abort();
  return 0;
}
