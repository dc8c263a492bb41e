// SPDX-License-Identifier: Apache-2.0
#include "net/curl_session.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.hpp"

namespace slipway::net {
namespace {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

const std::string* override_for(const HttpClientOptions& options, const Url& url) {
  std::string wanted = fmt::format("{}:{}", url.host, url.port);
  for (const auto& [pattern, address] : options.connect_to) {
    if (matches_wildcard(pattern, wanted)) return &address;
  }
  return nullptr;
}

}  // namespace

const Curl& started_curl() {
  static const CURLcode kStarted = curl().global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted != CURLE_OK) fail(Fault::unavailable, "libcurl cannot start");
  return curl();
}

std::unique_ptr<Session> CurlSessions::take() {
  auto session = idle_.with([](auto& sessions) -> std::unique_ptr<Session> {
    if (sessions.empty()) return nullptr;
    auto last = std::move(sessions.back());
    sessions.pop_back();
    return last;
  });
  return session ? std::move(session) : std::make_unique<Session>();
}

void CurlSessions::give_back(std::unique_ptr<Session> session) {
  constexpr std::size_t kKept = 16;
  idle_.with([&](auto& sessions) {
    if (sessions.size() < kKept) sessions.push_back(std::move(session));
  });
}

void CurlSessions::set_route(CURL* easy, const Url& url, List& connect_to) const {
  const std::string* address = override_for(options_, url);
  if (address != nullptr) {
    connect_to.add("::" + *address);
    curl().easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to.get());
  }
  if (address != nullptr || !options_.use_proxy || is_loopback(url.host))
    curl().easy_setopt(easy, CURLOPT_PROXY, "");
  if (!options_.unix_socket.empty())
    curl().easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options_.unix_socket.c_str());
  if (!options_.ca_file.empty()) {
    curl().easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    // The system's certificates stay trusted through their directory.
    curl().easy_setopt(easy, CURLOPT_CAPATH, options_.only_ca_file ? nullptr : "/etc/ssl/certs");
  }
}

bool CurlSessions::is_direct(const Url& url) const {
  // source curl's manual page, "ENVIRONMENT": HTTP_PROXY is not looked at
  bool has_proxy =
      std::ranges::any_of(std::array{"http_proxy", "all_proxy", "ALL_PROXY"}, [](const char* name) {
        return std::getenv(name) != nullptr;
      });  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return url.scheme == "http" && !options_.refuse_link_local &&
         (!has_proxy || !options_.use_proxy || is_loopback(url.host) ||
          override_for(options_, url) != nullptr);
}

}  // namespace slipway::net
