// SPDX-License-Identifier: Apache-2.0
// Connections that libcurl opens, through proxies and TLS, and that we speak on ourselves.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "net/curl_session.hpp"
#include "net/stream.hpp"

namespace slipway::net {
namespace {

using std::chrono::milliseconds;

/// A connection that libcurl opened and that we speak on ourselves.
class DialedStream final : public Stream {
 public:
  explicit DialedStream(std::unique_ptr<Session> session) : session_(std::move(session)) {
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl().easy_getinfo(session_->easy, CURLINFO_ACTIVESOCKET, &socket);
    fd_ = static_cast<int>(socket);
  }
  ~DialedStream() override {
    NoBrokenPipeSignal no_signal;
    session_.reset();
  }
  DialedStream(const DialedStream&) = delete;
  DialedStream& operator=(const DialedStream&) = delete;

  std::size_t read(std::span<char> into) override {
    for (;;) {
      if (!ahead_.empty()) {
        std::size_t count = ahead_.copy(into.data(), into.size());
        ahead_.erase(0, count);
        return count;
      }
      if (auto count = receive(into)) return *count;
      wait(POLLIN, "reading from");
    }
  }
  void write(std::string_view bytes) override {
    NoBrokenPipeSignal no_signal;
    while (!bytes.empty()) {
      std::size_t count = 0;
      CURLcode code = curl().easy_send(session_->easy, bytes.data(), bytes.size(), &count);
      if (code == CURLE_AGAIN) {
        wait(POLLOUT, "writing to");
      } else if (code != CURLE_OK) {
        fail(Fault::unavailable, "writing to the peer: {}", curl().easy_strerror(code));
      }
      bytes.remove_prefix(count);
    }
  }
  void set_timeout(milliseconds span) override { timeout_ = span; }
  void end_writing() override { ::shutdown(fd_, SHUT_WR); }
  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] bool is_plain() const override { return false; }
  /// TLS keeps decrypted bytes that only a read can find.
  [[nodiscard]] bool has_buffered() const override {
    if (!ahead_.empty() || is_at_end_) return true;
    std::array<char, 16U << 10> bytes{};
    auto count = receive(bytes);
    if (!count) return false;
    is_at_end_ = *count == 0;
    ahead_.assign(bytes.data(), *count);
    return true;
  }

 private:
  /// Nothing when there is nothing to read yet.
  std::optional<std::size_t> receive(std::span<char> into) const {
    if (is_at_end_) return 0;
    std::size_t count = 0;
    CURLcode code = curl().easy_recv(session_->easy, into.data(), into.size(), &count);
    if (code == CURLE_AGAIN) return std::nullopt;
    if (code != CURLE_OK)
      fail(Fault::unavailable, "reading from the peer: {}", curl().easy_strerror(code));
    return count;
  }
  void wait(short events, std::string_view doing) const {
    pollfd waiting{fd_, events, 0};
    int ready = ::poll(&waiting, 1, static_cast<int>(timeout_.count()));
    if (ready == 0) fail(Fault::unavailable, "{} the peer: timed out", doing);
  }

  std::unique_ptr<Session> session_;
  int fd_ = -1;
  milliseconds timeout_ = std::chrono::seconds(60);
  mutable std::string ahead_;  // read by has_buffered()
  mutable bool is_at_end_ = false;
};

int stop_if_asked(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
}

}  // namespace

std::unique_ptr<Stream> HttpClient::dial(const std::string& url, const std::stop_token& stop,
                                         Deadline deadline) {
  auto where = parse_url(url);
  if (!where) fail(Fault::bad_input, "'{}' is no http or https URL", url);
  NoBrokenPipeSignal no_signal;
  List connect_to;
  auto session = std::make_unique<Session>();
  CURL* easy = session->easy;
  std::array<char, CURL_ERROR_SIZE> message{};
  auto span = std::min(deadline.left(), state_->sessions.options().connect_timeout);
  curl().easy_setopt(easy, CURLOPT_URL, where->to_string().c_str());
  curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(span.count()));
  curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, message.data());
  curl().easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl().easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &stop_if_asked);
  curl().easy_setopt(easy, CURLOPT_XFERINFODATA, &stop);
  state_->sessions.set_route(easy, *where, connect_to);
  CURLcode code = curl().easy_perform(easy);
  curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  curl().easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
  if (stop.stop_requested()) throw Cancelled();
  if (code != CURLE_OK) {
    fail(Fault::unavailable, "{}: {}", where->authority(),
         message[0] != '\0' ? message.data() : curl().easy_strerror(code));
  }
  return std::make_unique<DialedStream>(std::move(session));
}

}  // namespace slipway::net
