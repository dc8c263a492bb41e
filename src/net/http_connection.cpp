// SPDX-License-Identifier: Apache-2.0
#include "net/http_connection.hpp"

#include <poll.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/http_response_writer.hpp"
#include "net/url.hpp"

namespace slipway::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using Parser = http::request_parser<http::buffer_body>;

constexpr std::size_t kBuffer = 64U << 10;
constexpr auto kDropTime = std::chrono::seconds(5);  // for the rest of a body that nobody wants

/// The request breaks the protocol: answered with this status, then the connection closes.
struct Malformed {
  int status;
  std::string message;
};

/// Our Stream with the face that Beast's read functions want. What the stream throws passes through
/// them.
struct BeastStream {
  Stream& stream;
  Deadline deadline = Deadline::never();

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers, ErrorCode& error) {
    if (deadline.passed()) throw Malformed{408, "the request took too long to come"};
    auto first = *asio::buffer_sequence_begin(buffers);
    std::size_t count = stream.read({static_cast<char*>(first.data()), first.size()});
    error = count == 0 ? ErrorCode(asio::error::eof) : ErrorCode();
    return count;
  }
  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers) {
    ErrorCode error;
    std::size_t count = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }
};

/// A request's body. Known length: straight from buffer and socket; chunked: through Beast's
/// parser.
class BodyReader final : public formats::Reader {
 public:
  BodyReader(Stream& stream, boost::beast::flat_buffer& buffer, Parser& parser, bool wants_continue)
      : stream_(stream),
        buffer_(buffer),
        parser_(parser),
        wants_continue_(wants_continue),
        size_(parser.chunked() ? std::nullopt : std::optional<std::uint64_t>(length_of(parser))),
        left_(size_) {}

  std::size_t read(std::span<char> into) override {
    if (is_at_end()) return 0;
    if (std::exchange(wants_continue_, false)) stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
    return left_ ? read_plain(into) : read_chunked(into);
  }
  [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }
  [[nodiscard]] bool is_at_end() const { return left_ ? *left_ == 0 : parser_.is_done(); }
  /// The client waits for our "100 Continue" and may send no body at all.
  [[nodiscard]] bool is_held_back() const { return wants_continue_ && !is_at_end(); }

 private:
  std::size_t read_plain(std::span<char> into) {
    std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), *left_));
    std::size_t count = 0;
    if (buffer_.size() > 0) {
      count = std::min(wanted, buffer_.size());
      std::memcpy(into.data(), buffer_.data().data(), count);
      buffer_.consume(count);
    } else {
      count = stream_.read(into.first(wanted));
      if (count == 0)
        fail(Fault::bad_input, "the request's body was cut short: {} bytes are missing", *left_);
    }
    *left_ -= count;
    return count;
  }
  std::size_t read_chunked(std::span<char> into) {
    auto& body = parser_.get().body();
    BeastStream beast{stream_};
    for (;;) {
      body.data = into.data();
      body.size = into.size();
      ErrorCode error;
      http::read_some(beast, buffer_, parser_, error);
      std::size_t count = into.size() - body.size;
      if (error == http::error::need_buffer) error = {};
      if (error)
        fail(Fault::bad_input, "the request's body is malformed or was cut short ({})",
             error.message());
      if (count > 0) return count;
      if (parser_.is_done()) return 0;
    }
  }

  Stream& stream_;
  boost::beast::flat_buffer& buffer_;
  Parser& parser_;
  bool wants_continue_;
  std::optional<std::uint64_t> size_;
  std::optional<std::uint64_t> left_;  // of a known size

  static std::uint64_t length_of(const Parser& parser) {
    auto length = parser.content_length();
    return length ? *length : 0;
  }
};

/// Beast's field values are borrowed from the message.
std::string text(boost::beast::string_view view) { return {view.data(), view.size()}; }

/// The framing rules that Beast leaves to its user. source RFC 9112, 3.2, 6.1, 6.3
void check_framing(const Parser& parser) {
  const auto& head = parser.get();
  if (head.version() != 10 && head.version() != 11)
    throw Malformed{505, "only HTTP/1.1 is spoken here"};
  if (head.method_string().size() > 32) throw Malformed{400, "the method is too long"};
  auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() == 11))
    throw Malformed{400, "a request needs one Host header"};
  if (hosts == 1) {
    std::string host = text(head[http::field::host]);
    if (!host.empty() && !parse_host_port(host))
      throw Malformed{400, "the Host header is malformed"};
  }
  auto encodings = head.count(http::field::transfer_encoding);
  if (encodings > 0) {
    bool is_chunked = encodings == 1 &&
                      equals_ignoring_case(text(head[http::field::transfer_encoding]), "chunked");
    if (!is_chunked) throw Malformed{501, "no Transfer-Encoding but chunked is understood"};
    if (head.count(http::field::content_length) > 0)
      throw Malformed{400, "a request has either a length or is chunked"};
    if (head.version() == 10) throw Malformed{400, "HTTP/1.0 knows no chunked body"};
  }
  if (head.count(http::field::content_length) > 1)
    throw Malformed{400, "a request has one Content-Length"};
}

/// Splits the target into path and query; an absolute one ("GET http://host/x") decides the host.
/// source RFC 9112, 3.2
void set_target(ServerRequest& request, std::string target) {
  if (target.starts_with("http://") || target.starts_with("https://")) {
    auto url = parse_url(target);
    if (!url) throw Malformed{400, "the request's target is malformed"};
    request.host = url->authority();
    target = url->target();
  }
  if (!target.starts_with('/') && target != "*")
    throw Malformed{400, "the request's target is malformed"};
  auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  request.target = std::move(target);
}

ServerRequest request_of(const Parser& parser, const ConnectionContext& context) {
  const auto& head = parser.get();
  ServerRequest request;
  request.method = text(head.method_string());
  for (const auto& field : head)
    request.headers.add(text(field.name_string()), text(field.value()));
  request.host = text(head[http::field::host]);
  set_target(request, text(head.target()));
  request.is_tls = context.is_tls;
  request.listener = context.listener;
  request.peer = context.peer;
  request.stop = context.give_up;
  return request;
}

int status_of(Fault fault) {
  switch (fault) {
    case Fault::bad_input:
      return 400;
    case Fault::not_found:
      return 404;
    case Fault::denied:
      return 403;
    case Fault::conflict:
      return 409;
    case Fault::unsupported:
      return 501;
    case Fault::unavailable:
      return 503;
    case Fault::failed:
      return 500;
  }
  return 500;
}

/// Runs the handler; what leaves it becomes a response where that is still possible.
void answer(ServerRequest& request, StreamResponseWriter& writer,
            const ConnectionContext& context) {
  auto refuse = [&](int status, std::string_view message) {
    writer.close_after();
    if (!writer.has_started()) writer.send(text_response(status, std::string(message) + "\n"));
  };
  try {
    context.handler(request, writer);
    if (!writer.has_started()) refuse(500, "the handler gave no answer");
  } catch (const Error& error) {
    if (error.fault() == Fault::failed || error.fault() == Fault::unavailable) {
      context.log.warn("{} {}: {}", request.method, request.path, error.what());
    }
    if (!writer.has_started()) {
      writer.send(text_response(status_of(error.fault()), std::string(error.what()) + "\n"));
    }
    if (!writer.is_done()) writer.close_after();
  } catch (const Cancelled&) {
    refuse(503, "the server is stopping");
  } catch (const std::exception& error) {
    context.log.error("{} {}: {}", request.method, request.path, error.what());
    refuse(500, "internal error");
  }
}

/// Leaves nothing of a body in the way of the next request. False: there is too much of it, it is
/// broken or too slow.
bool drop_rest(BodyReader& body) {
  constexpr std::uint64_t kMost = 256U << 10;
  if (body.is_at_end()) return true;
  if (body.is_held_back()) return false;
  std::vector<char> dropped(16U << 10);
  std::uint64_t total = 0;
  Deadline deadline = Deadline::in(kDropTime);
  try {
    while (!body.is_at_end() && total < kMost && !deadline.passed()) total += body.read(dropped);
  } catch (const Error&) {
    return false;
  }
  return body.is_at_end();
}

/// Waits for the first byte of a request. False: the peer is gone, the server drains or nothing
/// came in time.
bool wait_for_request(const Stream& stream, const boost::beast::flat_buffer& buffer,
                      const ConnectionContext& context) {
  pollfd drain{context.drain_fd, POLLIN, 0};
  if (::poll(&drain, 1, 0) > 0) return false;
  if (buffer.size() > 0 || stream.has_buffered()) return true;
  std::array<pollfd, 2> waiting{{{stream.fd(), POLLIN, 0}, drain}};
  for (;;) {
    int ready = ::poll(waiting.data(), waiting.size(),
                       static_cast<int>(context.options.idle_timeout.count()));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0 && waiting[0].revents != 0;
  }
}

/// True when a request's head was read; false when the peer closed between requests. All of it must come within `span`:
/// who sends a byte now and then would else have the connection for ever.
bool read_head(Stream& stream, boost::beast::flat_buffer& buffer, Parser& parser,
               std::chrono::milliseconds span) {
  ErrorCode error;
  BeastStream beast{stream, Deadline::in(span)};
  http::read_header(beast, buffer, parser, error);
  if (error == http::error::end_of_stream) return false;
  if (error == http::error::partial_message) return false;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    throw Malformed{431, "the request's headers are too large"};
  }
  if (error) throw Malformed{400, fmt::format("not an HTTP request ({})", error.message())};
  return true;
}

/// One request and its response. False: the connection is to be closed (`linger` says whether the
/// peer may still send).
bool serve_one(Stream& stream, boost::beast::flat_buffer& buffer,
               const ConnectionContext& context) {
  Parser parser;
  parser.body_limit(boost::none);
  parser.header_limit(static_cast<std::uint32_t>(context.options.most_header_bytes));
  try {
    if (!read_head(stream, buffer, parser, context.options.peer_timeout)) return false;
    context.waiting_since = ConnectionContext::kBusy;
    check_framing(parser);
    ServerRequest request = request_of(parser, context);
    bool wants_continue = false;
    if (auto expect = request.headers.find("Expect"); expect && parser.get().version() == 11) {
      if (!equals_ignoring_case(*expect, "100-continue"))
        throw Malformed{417, "only 100-continue can be expected"};
      wants_continue = true;
    }
    BodyReader body(stream, buffer, parser, wants_continue);
    request.body = &body;
    request.body_size = body.size();
    StreamResponseWriter writer(
        stream, {request.method == "HEAD", parser.get().version() == 10, parser.get().keep_alive()},
        context.options.server_name);
    pollfd drain{context.drain_fd, POLLIN, 0};
    if (::poll(&drain, 1, 0) > 0) writer.close_after();
    answer(request, writer, context);
    context.wait_begins();
    return writer.may_continue() && drop_rest(body);
  } catch (const Malformed& malformed) {
    StreamResponseWriter writer(stream, {.keep_alive = false}, context.options.server_name);
    writer.send(text_response(malformed.status, malformed.message + "\n"));
    return false;
  }
}

}  // namespace

void linger(Stream& stream, std::chrono::milliseconds span) {
  try {
    stream.end_writing();
    stream.set_timeout(span);
    Deadline deadline = Deadline::in(span);
    std::vector<char> dropped(64U << 10);
    while (!deadline.passed() && stream.read(dropped) > 0) {
    }
  } catch (const Error&) {
    return;  // gone or silent: nothing is lost by closing now
  }
}

void ConnectionContext::wait_begins() const {
  waiting_since = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::steady_clock::now().time_since_epoch())
                      .count();
}

void serve_connection(Stream& stream, const ConnectionContext& context) {
  try {
    stream.set_timeout(context.options.peer_timeout);
    boost::beast::flat_buffer buffer(std::max(kBuffer, context.options.most_header_bytes + 1024));
    buffer.reserve(
        kBuffer);  // else the buffer grows in small steps and bodies cost many times the work
    while (wait_for_request(stream, buffer, context)) {
      if (serve_one(stream, buffer, context)) continue;
      // A response is on its way that the peer has not read yet; between requests there is none.
      if (!context.give_up.stop_requested()) linger(stream, std::chrono::seconds(2));
      break;
    }
  } catch (const Error& error) {
    context.log.debug("connection: {}", error.what());
  } catch (const std::exception& error) {
    context.log.error("connection with {}: {}", context.peer, error.what());
  }
}

}  // namespace slipway::net
