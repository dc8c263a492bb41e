// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "base/guarded.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"
#include "oci/credentials.hpp"

namespace slipway::oci {

/// One challenge of a WWW-Authenticate header.
struct Challenge {
  std::string scheme;                             ///< lower case: "basic", "bearer"
  std::map<std::string, std::string> parameters;  ///< names in lower case
  bool operator==(const Challenge&) const = default;
};
/// All challenges of one header's text; what cannot be read is left out. source RFC 9110, 11.6.1
std::vector<Challenge> parse_challenges(std::string_view header);

/// True when a registry at `registry` may send its users to `realm` with their credentials: the
/// same host, or one of the same domain (the registry's name without its first label), and not from
/// https to http.
bool is_trusted_realm(const net::Url& registry, const net::Url& realm);

/// Gets and keeps what is needed to talk to one registry: Basic credentials, or Bearer tokens by
/// scope.
///   threads  any
///   source   distribution's token authentication specification
class RegistryAuth final {
 public:
  /// `host` is what credentials are asked for under; `base` the registry's URL.
  RegistryAuth(std::string host, net::Url base, const CredentialProvider& credentials,
               net::HttpClient& client)
      : host_(std::move(host)),
        base_(std::move(base)),
        credentials_(credentials),
        client_(client) {}

  /// The Authorization header for these scopes; nothing to go without (nothing was asked for so
  /// far, or there is none).
  std::optional<std::string> header(const std::vector<std::string>& scopes,
                                    const std::stop_token& stop);
  /// Takes a 401's challenges.
  ///   returns  true when it is worth to ask again
  ///   throws   Error{denied} for a realm that is not trusted, Error{unavailable}
  bool learn(const std::vector<std::string>& headers, const std::vector<std::string>& scopes,
             const std::string& sent, const std::stop_token& stop);

 private:
  struct Token {
    std::string text;
    Deadline expires = Deadline::never();
  };
  struct State {
    std::optional<Challenge> challenge;
    std::map<std::string, Token> tokens;  // by scopes
    std::optional<std::optional<Credentials>> credentials;
  };
  std::optional<Credentials> credentials();
  Token fetch_token(const Challenge& challenge, const std::vector<std::string>& scopes,
                    const std::stop_token& stop);

  std::string host_;
  net::Url base_;
  const CredentialProvider& credentials_;
  net::HttpClient& client_;
  Guarded<State> state_;
};

}  // namespace slipway::oci
