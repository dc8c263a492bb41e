// SPDX-License-Identifier: Apache-2.0
#include "base/percent.hpp"

#include "base/text.hpp"

namespace slipway {

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool is_pair = text[at] == '%' && at + 2 < text.size();
    auto byte = is_pair ? unhex(text.substr(at + 1, 2)) : std::nullopt;
    if (byte) at += 2;
    out += byte ? *byte : std::string(1, text[at]);
  }
  return out;
}

}  // namespace slipway
