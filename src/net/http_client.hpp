// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "formats/io.hpp"
#include "net/http_message.hpp"
#include "net/stream.hpp"

namespace slipway::net {

struct HttpClientOptions {
  /// Where names lead instead of DNS: {"host:port" pattern, "address:port"}; `*` is any run; the
  /// first match counts. The Host header, SNI and the certificate's check stay those of the URL.
  std::vector<std::pair<std::string, std::string>> connect_to;
  std::string ca_file;  ///< PEM; empty: the system's certificates. Given: these and the system's,
                        ///< see `only_ca_file`
  bool only_ca_file = false;
  bool use_proxy = true;    ///< http_proxy, https_proxy and no_proxy of the environment; never for
                            ///< names in connect_to
  std::string unix_socket;  ///< path; empty: TCP
  /// Link-local addresses, where clouds tell a machine its credentials, are refused: by what names, redirects and odd spellings lead to.
  bool refuse_link_local = false;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::string user_agent = "slipway";
};

/// A file as a request's body: `size` bytes from its start. The descriptor is borrowed.
struct FileBody {
  int fd = -1;
  std::uint64_t size = 0;
  std::function<void(std::uint64_t)> progress;  ///< told how many bytes went, every few MiB
};

/// How one request is done. What is borrowed must live until request() returns.
struct Exchange {
  formats::Reader* upload = nullptr;         ///< the body instead of HttpRequest::body
  std::optional<std::uint64_t> upload_size;  ///< of `upload`; nothing: chunked
  std::optional<FileBody> file;              ///< the body instead of both; needs no rewinding
  std::function<void()> rewind;  ///< puts `upload` back to its start; without it a resend fails
  /// Called once with status and headers before the body; returning nullptr keeps the body in
  /// HttpResponse::body.
  std::function<formats::Writer*(const HttpResponse&)> on_head;
  std::uint64_t most_body_bytes = std::uint64_t{64} << 20;  ///< of a body kept in memory
  int redirects = 0;  ///< how many to follow (GET and HEAD only); Authorization is dropped when the
                      ///< host changes
  bool fresh_connection =
      false;  ///< a kept one may be dead, and curl would send twice without telling
  bool expect_continue = false;  ///< ask before sending the body (waits for the answer at most 2 s)
};

/// An HTTP/1.1 client with kept connections. Safe to use from several threads at a time.
class HttpClient final {
 public:
  explicit HttpClient(HttpClientOptions options = {});
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();
  /// Sends and waits for the whole response; any status is an answer.
  ///   throws  Error{unavailable} when there is no connection, the peer breaks off or the deadline
  ///   passes; Error{bad_input} for
  ///           a URL that is none; Cancelled; what `upload` or a Writer threw
  HttpResponse request(const HttpRequest& request, const std::stop_token& stop, Deadline deadline,
                       const Exchange& exchange = {});
  /// A connection of its own to a URL's host, TLS for https, with nothing sent yet: for protocols that begin as HTTP.
  ///   throws  as request()
  std::unique_ptr<Stream> dial(const std::string& url, const std::stop_token& stop,
                               Deadline deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::net
