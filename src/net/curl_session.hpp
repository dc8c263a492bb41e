// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "net/broken_pipe.hpp"
#include "net/curl_library.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace slipway::net {

/// Starts libcurl before the first handle is made; most commands make a client and send nothing.
const Curl& started_curl();

/// libcurl's handles; the multi handle holds the kept connections and can be woken from another
/// thread.
struct Session {
  CURLM* multi = started_curl().multi_init();
  CURL* easy = started_curl().easy_init();
  Session() {
    if (multi == nullptr || easy == nullptr) fail(Fault::unavailable, "libcurl cannot start");
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    curl().easy_cleanup(easy);
    curl().multi_cleanup(multi);
  }
};

/// curl_slist.
class List final {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { curl().slist_free_all(head_); }
  void add(const std::string& line) {
    curl_slist* longer = curl().slist_append(head_, line.c_str());
    if (longer == nullptr) fail(Fault::unavailable, "no memory");
    head_ = longer;
  }
  [[nodiscard]] curl_slist* get() const { return head_; }

 private:
  curl_slist* head_ = nullptr;
};

/// What a client keeps between requests: its options and sessions whose connections may serve again.
///   threads  any
class CurlSessions final {
 public:
  explicit CurlSessions(HttpClientOptions options) : options_(std::move(options)) {}
  [[nodiscard]] const HttpClientOptions& options() const { return options_; }
  /// No TLS, no proxy and nothing to look at on the way: the connection's socket is the peer's own.
  [[nodiscard]] bool is_direct(const Url& url) const;
  std::unique_ptr<Session> take();
  void give_back(std::unique_ptr<Session> session);
  /// Where the connection leads and whom it trusts. `connect_to` must live as long as the transfer.
  void set_route(CURL* easy, const Url& url, List& connect_to) const;

 private:
  HttpClientOptions options_;
  Guarded<std::vector<std::unique_ptr<Session>>> idle_;
};

struct HttpClient::State {
  CurlSessions sessions;
};

}  // namespace slipway::net
