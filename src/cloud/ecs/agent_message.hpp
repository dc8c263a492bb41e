// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::cloud::ecs {

/// What a stream message's payload is.
enum class AgentPayload : std::uint32_t {
  output = 1,
  size = 3,
  handshake_request = 5,
  handshake_response = 6,
  handshake_complete = 7,
  flag = 10
};

/// A binary message of Session Manager's data channel.
///   source  aws/session-manager-plugin, src/message/clientmessage.go: the header's fields, big-endian, then the payload
struct AgentMessage {
  std::string type;  ///< "input_stream_data", "output_stream_data", "acknowledge", "channel_closed"
  std::uint32_t schema_version = 1;
  std::uint64_t created_ms = 0;
  std::int64_t sequence = 0;
  std::uint64_t flags = 0;  ///< bit 0: first of a stream, bit 1: last
  std::string id;           ///< a UUID
  std::uint32_t payload_type = 0;
  std::string payload;
  bool operator==(const AgentMessage&) const = default;
};

/// Nothing when the bytes are no message, or the payload is not the one that its digest is of.
std::optional<AgentMessage> parse_agent_message(std::string_view bytes);
/// Its bytes. `type` has at most 32 characters, `id` is a UUID.
std::string print_agent_message(const AgentMessage& message);
/// The acknowledgement of a stream message.
AgentMessage acknowledgement_of(const AgentMessage& message, std::uint64_t now_ms);

}  // namespace slipway::cloud::ecs
