// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "formats/io.hpp"
#include "net/http_message.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"
#include "os/fd.hpp"

namespace slipway::net {

/// A request as the server got it. Lives as long as the handler's call.
struct ServerRequest {
  std::string method;
  std::string target;  ///< as sent: path and query, percent-encoded
  std::string path;    ///< the target up to '?', still percent-encoded
  std::string query;   ///< after '?', without it
  std::string host;    ///< the Host header, with its port when it has one
  Headers headers;
  bool is_tls = false;
  std::string listener;                    ///< the name of the Listener it came in by
  std::string peer;                        ///< "127.0.0.1:4321" or "unix:"
  std::optional<std::uint64_t> body_size;  ///< nothing for a chunked body; 0 without a body
  formats::Reader* body = nullptr;  ///< never null; ends with the body. throws Error{bad_input}
                                    ///< when it was cut short or is malformed
  std::stop_token stop;  ///< fires when the server gives up on requests that are still running

  /// The whole body. throws Error{bad_input} when it is longer
  [[nodiscard]] std::string read_body(std::uint64_t most_bytes = 16U << 20) const;
};

/// Where a handler answers: exactly one of send(), send_file() or start()…end().
class ResponseWriter {
 public:
  ResponseWriter() = default;
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;
  virtual ~ResponseWriter() = default;
  /// A whole response. Content-Length is set (a HEAD request's own Content-Length header is kept,
  /// the body is not sent).
  virtual void send(const HttpResponse& response) = 0;
  /// Status and headers, then bytes [offset, offset + length) of a file, by sendfile where that can
  /// be.
  virtual void send_file(int status, const Headers& headers, const os::Fd& file,
                         std::uint64_t offset, std::uint64_t length) = 0;
  /// Begins a streamed response; write the body to what is returned, then call end().
  ///   length  known: exactly that many bytes must follow; unknown: chunked; every write() is on
  ///   the wire when it returns
  virtual formats::Writer& start(int status, const Headers& headers,
                                 std::optional<std::uint64_t> length = std::nullopt) = 0;
  virtual void end() = 0;
  /// Answers 101 with these headers: from here on the connection speaks another protocol, and closes when the handler returns.
  ///   returns  the connection, borrowed until the handler returns
  ///   throws   Error{unsupported} where there is no connection of its own
  virtual Stream& switch_protocol(const Headers& headers);
  /// True when a status line went out (a later error can only cut the connection).
  [[nodiscard]] virtual bool has_started() const = 0;
};

/// Called on the connection's thread. An Error that leaves it becomes a response by its Fault (400,
/// 404, 403, 409, 501, 503, 500) with the message as plain text when nothing was sent yet, else the
/// connection is cut.
using HttpHandler = std::function<void(ServerRequest&, ResponseWriter&)>;

/// One place to listen on.
struct Listener {
  os::Fd socket;                   ///< from listen_tcp() or listen_unix()
  std::string name = "http";       ///< handed to the handler
  const TlsServer* tls = nullptr;  ///< borrowed; nullptr: plain HTTP
};

struct HttpServerOptions {
  std::chrono::milliseconds idle_timeout =
      std::chrono::seconds(75);  ///< between requests on one connection
  std::chrono::milliseconds peer_timeout =
      std::chrono::seconds(60);  ///< for the peer within a request
  std::chrono::milliseconds grace =
      std::chrono::seconds(5);  ///< for running requests after the stop
  std::size_t most_header_bytes = 64U << 10;
  std::size_t most_connections = 4096;  ///< more wait in the listen queue
  std::string server_name = "slipway";  ///< the Server header; empty: none
};

/// An HTTP/1.1 server: a thread a connection, keep-alive, 100-continue, strict framing (a request
/// with two lengths, with Transfer-Encoding other than chunked, without Host or with anything else
/// doubtful gets 400 and a closed connection).
class HttpServer final {
 public:
  HttpServer(std::vector<Listener> listeners, HttpHandler handler, Log& log,
             HttpServerOptions options = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();
  /// Serves until `stop`; then lets running requests end within the grace, cuts the rest, returns.
  void run(const std::stop_token& stop);
  /// The port of listener number `index` (0 for a unix socket).
  [[nodiscard]] std::uint16_t port(std::size_t index = 0) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::net
