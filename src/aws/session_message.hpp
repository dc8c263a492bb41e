// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::aws {

/// A message of Session Manager's data channel, as its plugin reads and writes it.
///   source  aws/session-manager-plugin, src/message
struct SessionMessage {
  std::string type;  ///< "input_stream_data", "output_stream_data", "acknowledge", "channel_closed"
  std::int64_t sequence = 0;
  std::uint64_t flags = 0;
  std::string id;  ///< a UUID
  std::uint32_t payload_type = 0;
  std::string payload;
  bool operator==(const SessionMessage&) const = default;
};

// Payload types of stream messages.
inline constexpr std::uint32_t kOutputPayload = 1, kErrorPayload = 2, kSizePayload = 3,
                               kHandshakeRequest = 5, kHandshakeResponse = 6,
                               kHandshakeComplete = 7, kFlagPayload = 10, kStdErrPayload = 11,
                               kExitCodePayload = 12;

/// Nothing when the bytes are no message, or its payload was changed on the way.
std::optional<SessionMessage> read_session_message(std::string_view bytes);
/// The bytes of a message of now.
std::string write_session_message(const SessionMessage& message);

}  // namespace slipway::aws
