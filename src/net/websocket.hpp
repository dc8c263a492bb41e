// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "net/stream.hpp"

namespace slipway::net {

/// Which end of a WebSocket we are: a client masks what it sends, a server does not.
enum class WebSocketEnd { client, server };

/// What a frame carries. source RFC 6455, 5.2
enum class WebSocketCode : unsigned char {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

/// A whole message or a control frame.
struct WebSocketMessage {
  WebSocketCode code = WebSocketCode::binary;
  std::string bytes;
  bool operator==(const WebSocketMessage&) const = default;
};

/// Puts frames together from bytes that come in any split.
class WebSocketReader final {
 public:
  /// `end` is ours: a server wants masked frames, a client frames without mask.
  explicit WebSocketReader(WebSocketEnd end, std::size_t most_bytes = std::size_t{1} << 20)
      : end_(end), most_bytes_(most_bytes) {}
  void add(std::string_view bytes) { waiting_ += bytes; }
  /// The next message that is whole; nothing when more bytes are needed.
  ///   throws  Error{bad_input} when the frames break the protocol or are larger than `most_bytes`
  std::optional<WebSocketMessage> next();

 private:
  std::optional<WebSocketMessage> one_frame(bool& is_final);

  WebSocketEnd end_;
  std::size_t most_bytes_;
  std::string waiting_;
  std::optional<WebSocketMessage> begun_;  ///< a message of which fragments are missing
};

/// One frame. A client's is masked with random bytes.
std::string websocket_frame(WebSocketEnd end, WebSocketCode code, std::string_view bytes);

/// An open WebSocket, for one thread: poll fd() beside others, then read().
class WebSocket final {
 public:
  /// `stream` is borrowed when the server owns it.
  WebSocket(Stream& stream, WebSocketEnd end) : stream_(stream), reader_(end), end_(end) {}
  WebSocket(std::unique_ptr<Stream> stream, WebSocketEnd end, std::string_view already_read);
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// Text and binary messages that one read completes, maybe none; waits only when nothing is there. Pings are answered.
  ///   throws  Error{bad_input} for what is no WebSocket, Error{unavailable} when the connection breaks
  std::vector<WebSocketMessage> read();
  void send(std::string_view bytes, WebSocketCode code = WebSocketCode::binary);
  /// Says goodbye; the peer's answer is not waited for.
  void close(unsigned code = 1000);
  /// False once either end has said goodbye.
  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] int fd() const { return stream_.fd(); }
  /// True when read() has something though poll does not see it.
  [[nodiscard]] bool has_buffered() const { return stream_.has_buffered(); }

 private:
  std::unique_ptr<Stream> owned_;
  Stream& stream_;
  WebSocketReader reader_;
  WebSocketEnd end_;
  bool is_open_ = true;
};

/// True when a request asks for a WebSocket.
bool wants_websocket(const ServerRequest& request);
/// Answers such a request with 101; the connection belongs to what is returned until the handler returns.
///   throws  Error{bad_input} when the request is malformed
std::unique_ptr<WebSocket> accept_websocket(const ServerRequest& request, ResponseWriter& response);
/// Opens one: "ws://…" or "wss://…", by the options' route, certificates and proxy.
///   throws  Error{unavailable}; Error{denied} naming the status when the server refuses; Cancelled
std::unique_ptr<WebSocket> connect_websocket(const std::string& url,
                                             const HttpClientOptions& options,
                                             const std::stop_token& stop, Deadline deadline);

}  // namespace slipway::net
