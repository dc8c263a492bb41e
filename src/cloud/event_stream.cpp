// SPDX-License-Identifier: Apache-2.0
#include "cloud/event_stream.hpp"

#include <array>
#include <cstdint>

namespace slipway::cloud {
namespace {

// CRC-32 as in gzip.
std::uint32_t crc_of(std::string_view bytes) {
  static const auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value & 1U) != 0 ? 0xedb88320U ^ value >> 1 : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = ~0U;
  for (char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ crc >> 8;
  return ~crc;
}

void put_big_endian(std::string& out, std::uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
}

void put_header(std::string& out, std::string_view name, std::string_view value) {
  constexpr char kString = 7;
  put_big_endian(out, name.size(), 1);
  out.append(name).push_back(kString);
  put_big_endian(out, value.size(), 2);
  out.append(value);
}

}  // namespace

std::string event_stream_message(std::string_view kind, std::string_view name,
                                 std::string_view payload) {
  std::string headers;
  put_header(headers, kind == "event" ? ":event-type" : ":exception-type", name);
  put_header(headers, ":content-type", "application/json");
  put_header(headers, ":message-type", kind);
  std::string out;
  put_big_endian(out, 16 + headers.size() + payload.size(), 4);
  put_big_endian(out, headers.size(), 4);
  put_big_endian(out, crc_of(out), 4);
  out.append(headers).append(payload);
  put_big_endian(out, crc_of(out), 4);
  return out;
}

EventStream::EventStream(formats::Writer& body) : body_(body) {
  body_.write(event_stream_message("event", "initial-response", "{}"));
}

void EventStream::send(std::string_view event, const Json& members) {
  body_.write(event_stream_message("event", event, members.dump()));
}

void EventStream::fail(std::string_view exception, std::string_view message) {
  body_.write(event_stream_message("exception", exception,
                                   Json::object({{"message", std::string(message)}}).dump()));
}

}  // namespace slipway::cloud
