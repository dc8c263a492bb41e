// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "deploy/image_contents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto packages = slipway::deploy::packages_of_sbom({reinterpret_cast<const char*>(data), size});
  if (!packages) return 0;
  for (const auto& [name, versions] : *packages) {
    if (name.empty() || versions.empty()) std::abort();
  }
  return 0;
}
