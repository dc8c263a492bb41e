// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "cloud/cbor.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  try {
    auto value = cloud::parse_cbor({reinterpret_cast<const char*>(data), size});
    static_cast<void>(cloud::parse_cbor(cloud::print_cbor(value)));
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
