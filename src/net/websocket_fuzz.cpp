// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "net/websocket.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  if (size == 0) return 0;
  net::WebSocketReader reader(
      (data[0] & 1U) != 0 ? net::WebSocketEnd::server : net::WebSocketEnd::client, 4096);
  try {
    for (std::size_t i = 1; i < size; ++i) {
      reader.add({reinterpret_cast<const char*>(data) + i, 1});
      while (reader.next()) {
      }
    }
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
