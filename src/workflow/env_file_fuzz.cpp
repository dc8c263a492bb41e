// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "workflow/env_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(bytes), size);
  auto file = slipway::workflow::parse_env_file(input);
  std::size_t total = 0;
  for (const auto& [name, value] : file.entries) total += name.size() + value.size();
  if (total > size) std::abort();
  slipway::workflow::parse_path_file(input);
  return 0;
}
