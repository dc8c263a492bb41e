// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::net {

/// An http or https URL. Path and query are kept percent-encoded as they came.
struct Url {
  std::string scheme;      ///< "http" or "https", lower case
  std::string host;        ///< lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;  ///< the scheme's own when the text has none
  std::string path;        ///< begins with '/'
  std::string query;       ///< after '?', without it
  std::string user_info;   ///< before '@', percent-decoded; "" when there is none

  /// "host" or "host:port", the port only when it is not the scheme's own: the Host header.
  [[nodiscard]] std::string authority() const;
  /// Path, and '?' and the query when there is one: the request target.
  [[nodiscard]] std::string target() const;
  /// Without user_info.
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Url&) const = default;
};

/// Nothing when `text` is no absolute http(s) URL. A fragment is dropped.
std::optional<Url> parse_url(std::string_view text);
/// `reference` (absolute, "//host/x", "/x", "?q" or relative) as seen from `base`. source RFC
/// 3986, 5.2
std::optional<Url> resolve_url(const Url& base, std::string_view reference);

/// Encodes all but A-Z a-z 0-9 - _ . ~ (and '/' when kept): SigV4's encoding.
std::string percent_encode(std::string_view text, bool keep_slash = false);
/// Nothing for a '%' without two hexadecimal digits. '+' stays a plus.
std::optional<std::string> percent_decode(std::string_view text);
/// The pairs of a query or form body, decoded ('+' is a space); what cannot be decoded is taken as
/// it is.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);
/// The first value of a name in a query.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
/// "a=1&b=x%20y".
std::string print_query(const std::vector<std::pair<std::string, std::string>>& pairs);

struct HostPort {
  std::string host;        ///< IPv6 without brackets
  std::uint16_t port = 0;  ///< 0 when there is none
  bool operator==(const HostPort&) const = default;
};
/// "host", "host:port", "[v6]:port". Nothing for anything else.
std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace slipway::net
