// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "base/guarded.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"
#include "oci/registry_auth.hpp"
#include "oci/registry_client.hpp"

namespace slipway::oci {

/// One registry as it is reached: its URL, connections and tokens.
struct RegistryAccess {
  RegistryAccess(std::string its_host, net::Url its_base, net::HttpClientOptions options,
                 const CredentialProvider& credentials)
      : host(std::move(its_host)),
        base(std::move(its_base)),
        client(std::move(options)),
        auth(host, base, credentials, client) {}
  std::string host;
  net::Url base;  ///< scheme and authority
  net::HttpClient client;
  RegistryAuth auth;
};

/// What a request is besides its path.
struct RegistryRequest {
  std::string method = "GET";
  std::string target;  ///< "/v2/…", or an absolute URL that the registry gave
  net::Headers headers;
  std::string body;
  std::vector<std::string> scopes;
  net::Exchange exchange;
  Deadline deadline = Deadline::never();
  bool may_repeat = true;  ///< after a broken connection, 429 or 5xx
};

struct RegistryClient::State {
  State(RegistryClientOptions its_options, Log& its_log)
      : options(std::move(its_options)), log(its_log) {}

  /// How `host` is reached; decided once, on this machine by asking without TLS first.
  std::shared_ptr<RegistryAccess> access(const std::string& host, const std::stop_token& stop);
  /// The mirrors of a host, then the host itself.
  std::vector<std::shared_ptr<RegistryAccess>> readers(const std::string& host,
                                                       const std::stop_token& stop);
  net::HttpResponse send(RegistryAccess& access, const RegistryRequest& request,
                         const std::stop_token& stop);
  /// What `once` answers in the end: it is called again, after a pause, up to three times when it throws Error{unavailable}, or its
  /// answer's status may pass by itself (429, 5xx) or is one that `is_passing` names. For requests that must not simply be repeated.
  ///   what  "blob sha256:…", for the log
  net::HttpResponse insist(std::string_view what, Deadline deadline, const std::stop_token& stop,
                           const std::function<net::HttpResponse()>& once,
                           const std::function<bool(int status)>& is_passing = {});

  RegistryClientOptions options;
  Log& log;
  Guarded<std::map<std::string, std::shared_ptr<RegistryAccess>>>
      accesses;           // shared by the requests under way
  std::mutex connecting;  // held while it is found out how a host is reached
  std::mutex progress;    ///< one call to a TransferSink at a time

 private:
  [[nodiscard]] const RegistryEndpoint* endpoint_of(const std::string& host) const;
  std::shared_ptr<RegistryAccess> connect(const std::string& host, const std::stop_token& stop);
  net::HttpResponse send_authorised(RegistryAccess& access, const RegistryRequest& request,
                                    const std::stop_token& stop);
};

/// Throws what a registry's refusal means, with its own words.
[[noreturn]] void throw_refusal(const net::HttpResponse& response, const std::string& host);
/// Waits, or throws Cancelled.
void pause(std::chrono::milliseconds span, const std::stop_token& stop);
/// The tag that stands for a missing referrers API. source OCI distribution-spec 1.1, "Referrers Tag Schema"
std::string fallback_tag(const Digest& subject);
std::string pull_scope(const std::string& repository);
std::string push_scope(const std::string& repository);

}  // namespace slipway::oci
