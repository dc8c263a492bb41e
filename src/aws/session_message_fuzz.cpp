// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "aws/session_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::aws;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto message = read_session_message(bytes);
  if (message && read_session_message(write_session_message(*message)) != message) std::abort();
  return 0;
}
