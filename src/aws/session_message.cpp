// SPDX-License-Identifier: Apache-2.0
#include "aws/session_message.hpp"

#include <array>
#include <chrono>

#include "base/text.hpp"
#include "formats/sha256.hpp"

namespace slipway::aws {
namespace {

// The header: its own length, then these fields; the payload's length and the payload follow it.
constexpr std::size_t kTypeSize = 32, kIdSize = 16, kDigestSize = 32;
constexpr std::size_t kHeader = 4 + kTypeSize + 4 + 8 + 8 + 8 + kIdSize + kDigestSize + 4;

// Takes fields off the front of what it borrows.
class Fields final {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  std::string_view bytes(std::size_t count) {
    auto taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (char c : bytes(size)) value = value * 256 + static_cast<unsigned char>(c);
    return value;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

void append(std::string& out, std::uint64_t value, std::size_t size) {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < size; ++i, value /= 256)
    bytes[size - 1 - i] = static_cast<char>(value % 256);
  out.append(bytes.data(), size);
}

std::string sha256_bytes(std::string_view text) {
  return unhex(formats::sha256_hex(text)).value_or("");
}

}  // namespace

std::optional<SessionMessage> read_session_message(std::string_view bytes) {
  if (bytes.size() < kHeader + 4) return std::nullopt;
  Fields fields(bytes);
  if (fields.number(4) != kHeader) return std::nullopt;
  SessionMessage message;
  std::string type(fields.bytes(kTypeSize));
  while (!type.empty() && type.back() == '\0') type.pop_back();
  message.type = trim(type);
  fields.number(4);  // schema version
  fields.number(8);  // created
  message.sequence = static_cast<std::int64_t>(fields.number(8));
  message.flags = fields.number(8);
  std::string low = hex(fields.bytes(8));
  std::string high = hex(fields.bytes(8));
  message.id = high.substr(0, 8) + "-" + high.substr(8, 4) + "-" + high.substr(12) + "-" +
               low.substr(0, 4) + "-" + low.substr(4);
  auto digest = fields.bytes(kDigestSize);
  message.payload_type = static_cast<std::uint32_t>(fields.number(4));
  if (fields.number(4) != fields.rest().size()) return std::nullopt;
  message.payload = fields.rest();
  if (!message.payload.empty() && sha256_bytes(message.payload) != digest) return std::nullopt;
  return message;
}

std::string write_session_message(const SessionMessage& message) {
  auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  std::string id = unhex(replace_all(message.id, "-", "")).value_or(std::string(kIdSize, '\0'));
  std::string out;
  append(out, kHeader, 4);
  out.append(message.type).append(kTypeSize - message.type.size(), ' ');
  append(out, 1, 4);
  append(out, static_cast<std::uint64_t>(now.count()), 8);
  append(out, static_cast<std::uint64_t>(message.sequence), 8);
  append(out, message.flags, 8);
  out.append(id, 8, 8).append(id, 0, 8);
  out += sha256_bytes(message.payload);
  append(out, message.payload_type, 4);
  append(out, message.payload.size(), 4);
  return out + message.payload;
}

}  // namespace slipway::aws
