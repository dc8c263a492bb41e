// SPDX-License-Identifier: Apache-2.0
#include "net/http_response_writer.hpp"

#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"

namespace slipway::net {
namespace {

/// A header's line; refuses what would end the line early (response splitting).
void print_field(std::string& out, std::string_view name, std::string_view value) {
  auto breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (name.empty() || std::ranges::any_of(name, breaks) || std::ranges::any_of(value, breaks)) {
    fail(Fault::failed, "the response header '{}' holds a line end", name);
  }
  out.append(name).append(": ").append(value).append("\r\n");
}

bool is_ours(std::string_view name) {
  return equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection") || equals_ignoring_case(name, "Content-Length");
}

}  // namespace

StreamResponseWriter::StreamResponseWriter(Stream& stream, Request request, std::string server_name)
    : stream_(stream),
      request_(request),
      server_name_(std::move(server_name)),
      keep_alive_(request.keep_alive) {}

/// Status line and headers. `length` nothing: chunked.
std::string StreamResponseWriter::head(int status, const Headers& headers,
                                       std::optional<std::uint64_t> length) {
  assert(!has_started_ && "a handler answers once");
  bool is_bodyless = status < 200 || status == 204 || status == 304;
  has_body_ = !is_bodyless && !request_.is_head;
  is_chunked_ = !length && !is_bodyless && !request_.is_http_10;
  if (!length && !is_bodyless && request_.is_http_10) keep_alive_ = false;
  if (equals_ignoring_case(headers.get("Connection"), "close")) keep_alive_ = false;
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers) {
    if (!is_ours(name)) print_field(out, name, value);
  }
  if (!headers.contains("Date")) print_field(out, "Date", formats::http_date(formats::now()));
  if (!server_name_.empty() && !headers.contains("Server"))
    print_field(out, "Server", server_name_);
  auto given = headers.find("Content-Length");
  if (request_.is_head && given) {
    print_field(out, "Content-Length", *given);
  } else if (is_chunked_) {
    print_field(out, "Transfer-Encoding", "chunked");
  } else if (length && !is_bodyless) {
    print_field(out, "Content-Length", std::to_string(*length));
  }
  if (!keep_alive_) {
    print_field(out, "Connection", "close");
  } else if (request_.is_http_10) {
    print_field(out, "Connection", "keep-alive");
  }
  status_ = status;
  has_started_ = true;
  return out + "\r\n";
}

void StreamResponseWriter::send(const HttpResponse& response) {
  constexpr std::size_t kTogether = 64U << 10;  // one write for head and body up to here
  std::string out = head(response.status, response.headers, response.body.size());
  bool is_small = response.body.size() <= kTogether;
  if (has_body_ && !is_small) {
    stream_.write_with_more(out);
    stream_.write(response.body);
  } else {
    if (has_body_) out += response.body;
    stream_.write(out);
  }
  is_done_ = true;
}

void StreamResponseWriter::send_file(int status, const Headers& headers, const os::Fd& file,
                                     std::uint64_t offset, std::uint64_t length) {
  std::string first = head(status, headers, length);
  // One packet for both: a client that is woken for the head alone costs a third of the speed for 1 MiB.
  if (has_body_ && length > 0) {
    stream_.write_with_more(first);
  } else {
    stream_.write(first);
  }
  if (has_body_ && !stream_.is_plain()) {
    formats::FileRangeReader range(file.get(), offset, length);
    formats::copy_all(range, stream_);
  } else if (has_body_) {
    auto at = static_cast<off_t>(offset);
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 30;
    while (length > 0) {
      ssize_t count = ::sendfile(stream_.fd(), file.get(), &at,
                                 static_cast<std::size_t>(std::min(length, kPiece)));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0)
        fail(Fault::unavailable, "sending a file: {}",
             errno == EAGAIN ? "timed out" : std::strerror(errno));
      if (count == 0)
        fail(Fault::unavailable, "sending a file: it is {} bytes shorter than it was", length);
      length -= static_cast<std::uint64_t>(count);
    }
  }
  is_done_ = true;
}

formats::Writer& StreamResponseWriter::start(int status, const Headers& headers,
                                             std::optional<std::uint64_t> length) {
  stream_.write(head(status, headers, length));
  left_ = length;
  return body_;
}

void StreamResponseWriter::write_body(std::string_view bytes) {
  assert(has_started_ && !is_done_ && "a body is written between start() and end()");
  if (left_) {
    if (bytes.size() > *left_)
      fail(Fault::failed, "the response's body is longer than was announced");
    *left_ -= bytes.size();
  }
  if (bytes.empty() || !has_body_) return;
  if (!is_chunked_) {
    stream_.write(bytes);
    return;
  }
  constexpr std::size_t kTogether = 16U << 10;
  std::string frame = fmt::format("{:x}\r\n", bytes.size());
  if (bytes.size() <= kTogether) {
    frame.append(bytes).append("\r\n");
    stream_.write(frame);
  } else {
    stream_.write(frame);
    stream_.write(bytes);
    stream_.write("\r\n");
  }
}

Stream& ResponseWriter::switch_protocol(const Headers&) {
  fail(Fault::unsupported, "this connection speaks nothing but HTTP");
}

Stream& StreamResponseWriter::switch_protocol(const Headers& headers) {
  if (request_.is_http_10) fail(Fault::bad_input, "HTTP/1.0 cannot switch protocols");
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
  for (const auto& [name, value] : headers) print_field(out, name, value);
  status_ = 101;
  has_started_ = true;
  is_done_ = true;
  keep_alive_ = false;
  stream_.write(out + "\r\n");
  return stream_;
}

void StreamResponseWriter::end() {
  if (left_ && *left_ > 0 && has_body_)
    fail(Fault::failed, "the response's body is {} bytes shorter than was announced", *left_);
  if (is_chunked_ && has_body_) stream_.write("0\r\n\r\n");
  is_done_ = true;
}

}  // namespace slipway::net
