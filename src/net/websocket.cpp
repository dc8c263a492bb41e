// SPDX-License-Identifier: Apache-2.0
// RFC 6455 without extensions. Boost.Beast's websocket::stream is not used: its synchronous form keeps frames that it has read where poll
// cannot see them and must not be read and written by two threads, so that no loop could mind a terminal beside it.
#include "net/websocket.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace slipway::net {
namespace {

constexpr std::string_view kVersion = "13";
constexpr std::size_t kMostHead = 16U << 10;

// Sec-WebSocket-Accept of a Sec-WebSocket-Key. source RFC 6455, 4.2.2
std::string accept_of(const std::string& key) {
  std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    fail(Fault::unavailable, "SHA-1 is not there");
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

bool names(const std::string& list, std::string_view token) {
  auto parts = split(list, ',');
  return std::ranges::any_of(
      parts, [&](const std::string& part) { return equals_ignoring_case(trim(part), token); });
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void mask(std::string& bytes, std::size_t from, std::string_view key) {
  for (std::size_t i = from; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(bytes[i] ^ key[(i - from) % 4]);
}

bool is_control(WebSocketCode code) { return static_cast<unsigned char>(code) >= 8; }

}  // namespace

std::optional<WebSocketMessage> WebSocketReader::one_frame(bool& is_final) {
  if (waiting_.size() < 2) return std::nullopt;
  auto first = static_cast<unsigned char>(waiting_[0]);
  auto second = static_cast<unsigned char>(waiting_[1]);
  bool is_masked = (second & 0x80U) != 0;
  std::size_t length_size = (second & 0x7fU) == 126 ? 2 : (second & 0x7fU) == 127 ? 8 : 0;
  std::size_t head = 2 + length_size + (is_masked ? 4 : 0);
  auto code = static_cast<WebSocketCode>(first & 0x0fU);
  is_final = (first & 0x80U) != 0;
  if ((first & 0x70U) != 0) fail(Fault::bad_input, "WebSocket: an extension that nobody asked for");
  if (is_masked != (end_ == WebSocketEnd::server))
    fail(Fault::bad_input, "WebSocket: a client's frames are masked, a server's are not");
  if ((first & 0x0fU) > 10 || ((first & 0x0fU) > 2 && (first & 0x0fU) < 8))
    fail(Fault::bad_input, "WebSocket: unknown frame {}", first & 0x0fU);
  if (is_control(code) && (!is_final || length_size > 0))
    fail(Fault::bad_input, "WebSocket: a control frame is whole and short");
  if (waiting_.size() < head) return std::nullopt;
  std::uint64_t length = length_size == 0
                             ? second & 0x7fU
                             : big_endian(std::string_view(waiting_).substr(2, length_size));
  if (length > most_bytes_) fail(Fault::bad_input, "WebSocket: a frame of {} bytes", length);
  if (waiting_.size() - head < length) return std::nullopt;
  WebSocketMessage frame{code, waiting_.substr(head, static_cast<std::size_t>(length))};
  if (is_masked) mask(frame.bytes, 0, waiting_.substr(head - 4, 4));
  waiting_.erase(0, head + static_cast<std::size_t>(length));
  return frame;
}

std::optional<WebSocketMessage> WebSocketReader::next() {
  bool is_final = false;
  while (auto frame = one_frame(is_final)) {
    if (is_control(frame->code)) return frame;
    if ((frame->code == WebSocketCode::continuation) != begun_.has_value())
      fail(Fault::bad_input, "WebSocket: a message's frames are out of order");
    if (begun_) {
      begun_->bytes += frame->bytes;
    } else {
      begun_ = std::move(frame);
    }
    if (begun_->bytes.size() > most_bytes_)
      fail(Fault::bad_input, "WebSocket: a message of more than {} bytes", most_bytes_);
    if (is_final) return std::exchange(begun_, std::nullopt);
  }
  return std::nullopt;
}

std::string websocket_frame(WebSocketEnd end, WebSocketCode code, std::string_view bytes) {
  std::string out;
  out.push_back(static_cast<char>(0x80U | static_cast<unsigned char>(code)));
  unsigned masked = end == WebSocketEnd::client ? 0x80U : 0U;
  int length_size = bytes.size() < 126 ? 0 : bytes.size() <= 0xffff ? 2 : 8;
  out.push_back(static_cast<char>(masked | (length_size == 0   ? static_cast<unsigned>(bytes.size())
                                            : length_size == 2 ? 126U
                                                               : 127U)));
  for (int i = length_size - 1; i >= 0; --i)
    out.push_back(static_cast<char>(bytes.size() >> (8 * i) & 0xffU));
  std::string key = masked != 0 ? random_bytes(4) : "";
  out += key;
  std::size_t from = out.size();
  out += bytes;
  if (masked != 0) mask(out, from, key);
  return out;
}

WebSocket::WebSocket(std::unique_ptr<Stream> stream, WebSocketEnd end,
                     std::string_view already_read)
    : owned_(std::move(stream)), stream_(*owned_), reader_(end), end_(end) {
  reader_.add(already_read);
}

std::vector<WebSocketMessage> WebSocket::read() {
  std::vector<WebSocketMessage> out;
  auto take = [&] {
    while (auto message = reader_.next()) {
      if (message->code == WebSocketCode::ping) {
        stream_.write(websocket_frame(end_, WebSocketCode::pong, message->bytes));
      } else if (message->code == WebSocketCode::close) {
        if (is_open_) close();
      } else if (message->code != WebSocketCode::pong) {
        out.push_back(std::move(*message));
      }
    }
  };
  take();
  if (!out.empty() || !is_open_) return out;
  std::array<char, 16U << 10> bytes{};
  std::size_t count = stream_.read(bytes);
  if (count == 0) is_open_ = false;
  reader_.add({bytes.data(), count});
  take();
  return out;
}

void WebSocket::send(std::string_view bytes, WebSocketCode code) {
  stream_.write(websocket_frame(end_, code, bytes));
}

void WebSocket::close(unsigned code) {
  is_open_ = false;
  std::string bytes{static_cast<char>(code >> 8 & 0xffU), static_cast<char>(code & 0xffU)};
  stream_.write(websocket_frame(end_, WebSocketCode::close, bytes));
}

bool wants_websocket(const ServerRequest& request) {
  return equals_ignoring_case(request.headers.get("Upgrade"), "websocket") &&
         names(request.headers.get("Connection"), "upgrade");
}

std::unique_ptr<WebSocket> accept_websocket(const ServerRequest& request,
                                            ResponseWriter& response) {
  std::string key = request.headers.get("Sec-WebSocket-Key");
  auto plain = unbase64(key);
  if (request.method != "GET" || !plain || plain->size() != 16 ||
      request.headers.get("Sec-WebSocket-Version") != kVersion) {
    fail(Fault::bad_input, "not the beginning of a WebSocket of version {}", kVersion);
  }
  Stream& stream = response.switch_protocol(
      {{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", accept_of(key)}});
  return std::make_unique<WebSocket>(stream, WebSocketEnd::server);
}

std::unique_ptr<WebSocket> connect_websocket(const std::string& url,
                                             const HttpClientOptions& options,
                                             const std::stop_token& stop, Deadline deadline) {
  bool is_known = url.starts_with("ws://") || url.starts_with("wss://");
  auto where = is_known ? parse_url("http" + url.substr(2)) : std::nullopt;
  if (!where) fail(Fault::bad_input, "'{}' is no ws or wss URL", url);
  HttpClient client(options);
  auto stream = client.dial(where->to_string(), stop, deadline);
  std::string key = base64(random_bytes(16));
  stream->write(
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: {}\r\nUser-Agent: {}\r\n\r\n",
                  where->target(), where->authority(), key, kVersion, options.user_agent));
  std::string head;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    std::array<char, 4096> bytes{};
    std::size_t count = stream->read(bytes);
    if (count == 0 || head.size() > kMostHead)
      fail(Fault::unavailable, "{}: no answer to the WebSocket's request", where->authority());
    head.append(bytes.data(), count);
    end = head.find("\r\n\r\n");
  }
  std::string rest = head.substr(end + 4);
  head.resize(end);
  auto lines = lines_of(head);
  if (!lines.front().starts_with("HTTP/1.1 101"))
    fail(Fault::denied, "{} refuses a WebSocket: {}", where->authority(), lines.front());
  bool is_accepted = std::ranges::any_of(lines, [&](std::string_view line) {
    auto colon = line.find(':');
    return colon != std::string_view::npos &&
           equals_ignoring_case(line.substr(0, colon), "Sec-WebSocket-Accept") &&
           trim(line.substr(colon + 1)) == accept_of(key);
  });
  if (!is_accepted) fail(Fault::unavailable, "{} does not speak WebSocket", where->authority());
  return std::make_unique<WebSocket>(std::move(stream), WebSocketEnd::client, rest);
}

}  // namespace slipway::net
