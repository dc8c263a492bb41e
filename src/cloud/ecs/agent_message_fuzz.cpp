// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cloud/ecs/agent_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::cloud::ecs;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto message = parse_agent_message(bytes);
  if (message && parse_agent_message(print_agent_message(*message)) != message) std::abort();
  // Any payload that is printed is read again.
  AgentMessage made{.type = "input_stream_data", .id = "00000000-0000-4000-8000-000000000001"};
  made.payload = std::string(bytes);
  if (parse_agent_message(print_agent_message(made)) != made) std::abort();
  return 0;
}
