// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "workflow/mask.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  // The first byte says how long the first secret is; what follows are two secrets and the text.
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  auto cut = std::min<std::size_t>(bytes[0] % 32, input.size());
  auto secret = input.substr(0, cut);
  slipway::workflow::Masker masker;
  masker.add(secret);
  auto masked = masker.mask(input.substr(cut));
  if (!slipway::trim(secret).empty() && secret.find('*') == std::string_view::npos &&
      masked.find(secret) != std::string::npos)
    std::abort();
  return 0;
}
