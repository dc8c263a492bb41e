// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/agent_message.hpp"

#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"

namespace slipway::cloud::ecs {
namespace {

// Offsets of the header's fields.
constexpr std::size_t kType = 4, kVersion = 36, kCreated = 40, kSequence = 48, kFlags = 56,
                      kId = 64, kDigest = 80, kPayloadType = 112, kPayloadLength = 116,
                      kPayload = 120;

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (char c : bytes.substr(at, size)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void put_number(std::string& out, std::uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
}

std::string uuid_text(std::string_view raw) {
  std::string digits = hex(raw);
  for (std::size_t at : {8U, 13U, 18U, 23U}) digits.insert(at, "-");
  return digits;
}

std::string digest_of_payload(std::string_view payload) {
  return unhex(formats::sha256_hex(payload)).value_or("");
}

}  // namespace

std::optional<AgentMessage> parse_agent_message(std::string_view bytes) {
  if (bytes.size() < kPayload || number_at(bytes, 0, 4) != kPayloadLength) return std::nullopt;
  if (number_at(bytes, kPayloadLength, 4) != bytes.size() - kPayload) return std::nullopt;
  AgentMessage message;
  auto type = bytes.substr(kType, kVersion - kType);
  type = type.substr(0, type.find('\0'));
  message.type = trim(type);
  message.schema_version = static_cast<std::uint32_t>(number_at(bytes, kVersion, 4));
  message.created_ms = number_at(bytes, kCreated, 8);
  message.sequence = static_cast<std::int64_t>(number_at(bytes, kSequence, 8));
  message.flags = number_at(bytes, kFlags, 8);
  // The UUID's halves are exchanged.
  message.id = uuid_text(std::string(bytes.substr(kId + 8, 8)) + std::string(bytes.substr(kId, 8)));
  message.payload_type = static_cast<std::uint32_t>(number_at(bytes, kPayloadType, 4));
  message.payload = bytes.substr(kPayload);
  if (message.type.empty()) return std::nullopt;
  if (!message.payload.empty() &&
      digest_of_payload(message.payload) != bytes.substr(kDigest, kPayloadType - kDigest)) {
    return std::nullopt;
  }
  return message;
}

std::string print_agent_message(const AgentMessage& message) {
  std::string out;
  put_number(out, kPayloadLength, 4);
  out += message.type;
  out.resize(kVersion, ' ');
  put_number(out, message.schema_version, 4);
  put_number(out, message.created_ms, 8);
  put_number(out, static_cast<std::uint64_t>(message.sequence), 8);
  put_number(out, message.flags, 8);
  std::string id = unhex(replace_all(message.id, "-", "")).value_or("");
  id.resize(16);
  out += id.substr(8) + id.substr(0, 8);
  out += digest_of_payload(message.payload);
  put_number(out, message.payload_type, 4);
  put_number(out, message.payload.size(), 4);
  return out + message.payload;
}

AgentMessage acknowledgement_of(const AgentMessage& message, std::uint64_t now_ms) {
  auto content = formats::Json::object({{"AcknowledgedMessageType", message.type},
                                        {"AcknowledgedMessageId", message.id},
                                        {"AcknowledgedMessageSequenceNumber", message.sequence},
                                        {"IsSequentialMessage", true}});
  return {.type = "acknowledge",
          .created_ms = now_ms,
          .flags = 3,
          .id = uuid(),
          .payload = content.dump()};
}

}  // namespace slipway::cloud::ecs
