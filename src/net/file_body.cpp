// SPDX-License-Identifier: Apache-2.0
#include "net/file_body.hpp"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "net/broken_pipe.hpp"
#include "os/fd.hpp"

namespace slipway::net {
namespace {

namespace http = boost::beast::http;

constexpr std::uint64_t kToldSpan = std::uint64_t{4} << 20;
// Of a file at a time. Larger ones are no faster, and let some connections run ahead of others: a server is busy to the end when all end together.
constexpr std::size_t kPiece = std::size_t{256} << 10;

std::string head_of(const HttpRequest& request, const Url& url, std::uint64_t size,
                    std::string_view user_agent) {
  std::string head = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
      request.method, url.target(), url.authority(), user_agent, size);
  for (const auto& [name, value] : request.headers) {
    refuse_line_end(name, value);
    head += fmt::format("{}: {}\r\n", name, value);
  }
  return head + "\r\n";
}

/// Sends all of it, or less when the peer answers or breaks off before.
void send_file(Stream& stream, const FileBody& file, Deadline deadline) {
  off_t at = 0;
  std::uint64_t told = 0;
  const auto size = static_cast<off_t>(file.size);
  while (at < size) {
    pollfd ready{stream.fd(), POLLIN | POLLOUT, 0};
    int count =
        ::poll(&ready, 1, static_cast<int>(deadline.left(std::chrono::seconds(60)).count()));
    if (count < 0 && errno != EINTR) os::throw_errno("waiting for the peer");
    if (count == 0 && deadline.passed()) fail(Fault::unavailable, "timed out");
    if ((ready.revents & ~POLLOUT) != 0) return;
    if (count <= 0) continue;
    ssize_t sent = ::sendfile(stream.fd(), file.fd, &at,
                              static_cast<std::size_t>(std::min<off_t>(size - at, kPiece)));
    if (sent == 0) fail(Fault::unavailable, "a file was cut short while it was sent");
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
    if (static_cast<std::uint64_t>(at) - told < kToldSpan) continue;
    told = static_cast<std::uint64_t>(at);
    if (file.progress) file.progress(told);
  }
}

HttpResponse read_response(Stream& stream, std::uint64_t most_body_bytes) {
  boost::beast::flat_buffer buffer;
  for (;;) {
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(most_body_bytes);
    bool is_at_end = false;
    while (!parser.is_done()) {
      boost::beast::error_code error;
      if (buffer.size() > 0) buffer.consume(parser.put(buffer.data(), error));
      if (is_at_end && parser.got_some() && (!error || error == http::error::need_more)) {
        error = {};
        parser.put_eof(error);
      }
      if (parser.is_done()) break;
      if (error && error != http::error::need_more)
        fail(Fault::unavailable, "no answer of HTTP: {}", error.message());
      if (is_at_end) fail(Fault::unavailable, "the connection was closed");
      auto space = buffer.prepare(std::size_t{16} << 10);
      std::size_t count = stream.read({static_cast<char*>(space.data()), space.size()});
      buffer.commit(count);
      is_at_end = count == 0;
    }
    auto message = parser.release();
    if (message.result_int() < 200) continue;  // 100 Continue: the real head follows
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message)
      response.headers.add(std::string_view(field.name_string().data(), field.name_string().size()),
                           std::string_view(field.value().data(), field.value().size()));
    response.body = std::move(message.body());
    return response;
  }
}

}  // namespace

std::size_t FileBodyReader::read(std::span<char> into) {
  auto want = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), file_.size - at_));
  if (want == 0) return 0;
  ssize_t count = ::pread(file_.fd, into.data(), want, static_cast<off_t>(at_));
  if (count < 0) os::throw_errno("reading a file to send");
  if (count == 0) fail(Fault::unavailable, "a file was cut short while it was sent");
  at_ += static_cast<std::uint64_t>(count);
  if (file_.progress && at_ - told_ >= kToldSpan) file_.progress(told_ = at_);
  return static_cast<std::size_t>(count);
}

void FileBodyReader::rewind() { at_ = told_ = 0; }

HttpResponse send_with_file(Stream& stream, const HttpRequest& request, const Url& url,
                            const Exchange& exchange, std::string_view user_agent,
                            const std::stop_token& stop, Deadline deadline) {
  NoBrokenPipeSignal no_signal;
  std::stop_callback wake(stop, [&] { ::shutdown(stream.fd(), SHUT_RDWR); });
  try {
    stream.set_timeout(deadline.left());
    stream.write(head_of(request, url, exchange.file->size, user_agent));
    send_file(stream, *exchange.file, deadline);
    stream.set_timeout(deadline.left());
    return read_response(stream, exchange.most_body_bytes);
  } catch (const Error& error) {
    if (stop.stop_requested()) throw Cancelled();
    throw Error(error.fault(),
                fmt::format("{} {}: {}", request.method, url.to_string(), error.what()));
  }
}

}  // namespace slipway::net
