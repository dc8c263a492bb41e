// SPDX-License-Identifier: Apache-2.0
#include "formats/jwt.hpp"

/// Any bytes, as a token and as a key set, are an answer and never an exception.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway::formats;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto line_end = text.find('\n');
  Json jwks;
  if (line_end != std::string_view::npos) {
    try {
      jwks = parse_json(text.substr(line_end + 1));
    } catch (const std::exception&) {
      jwks = nullptr;  // the token is still worth trying
    }
  }
  static_cast<void>(verify_jwt(text.substr(0, line_end), jwks));
  return 0;
}
