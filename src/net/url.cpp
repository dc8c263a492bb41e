// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace slipway::net {
namespace {

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

bool is_host(std::string_view host) {
  auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == ':';
  };
  return !host.empty() && std::ranges::all_of(host, is_allowed);
}

/// Visible ASCII, or bytes above it; no white space, no control characters.
bool is_printable(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

/// RFC 3986, 5.2.4.
std::string without_dots(std::string_view path) {
  std::vector<std::string> kept;
  auto parts = split(path.substr(path.starts_with('/') ? 1 : 0), '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    bool is_last = i + 1 == parts.size();
    if (parts[i] == "..") {
      if (!kept.empty()) kept.pop_back();
      if (is_last) kept.emplace_back();
    } else if (parts[i] == ".") {
      if (is_last) kept.emplace_back();
    } else {
      kept.push_back(parts[i]);
    }
  }
  return "/" + join(kept, "/");
}

std::string decode_form(std::string_view text) {
  std::string spaced = replace_all(std::string(text), "+", " ");
  return percent_decode(spaced).value_or(std::string(text));
}

}  // namespace

std::string Url::authority() const {
  return port == default_port(scheme) ? bracketed(host)
                                      : fmt::format("{}:{}", bracketed(host), port);
}

std::string Url::target() const { return query.empty() ? path : path + "?" + query; }

std::string Url::to_string() const { return scheme + "://" + authority() + target(); }

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort made;
  std::string_view rest;
  if (text.starts_with('[')) {
    auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    made.host = to_lower(text.substr(1, end - 1));
    rest = text.substr(end + 1);
    if (made.host.find(':') == std::string::npos) return std::nullopt;
  } else {
    auto colon = text.find(':');
    made.host = to_lower(text.substr(0, colon));
    rest = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (!is_host(made.host)) return std::nullopt;
  if (rest.empty()) return made;
  if (rest.size() < 2 || rest.size() > 6 || rest[0] != ':') return std::nullopt;
  auto port = to_integer(rest.substr(1));
  if (!port || *port < 0 || *port > 65535 || rest[1] == '+' || rest[1] == '-') return std::nullopt;
  made.port = static_cast<std::uint16_t>(*port);
  return made;
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  auto colon = text.find("://");
  if (colon == std::string_view::npos || !is_printable(text)) return std::nullopt;
  url.scheme = to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  auto authority_end = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, authority_end);
  rest = authority_end == std::string_view::npos ? "" : rest.substr(authority_end);
  if (auto at = authority.rfind('@'); at != std::string_view::npos) {
    auto decoded = percent_decode(authority.substr(0, at));
    if (!decoded) return std::nullopt;
    url.user_info = *decoded;
    authority.remove_prefix(at + 1);
  }
  auto host_port = parse_host_port(authority);
  if (!host_port) return std::nullopt;
  url.host = host_port->host;
  url.port = host_port->port == 0 ? default_port(url.scheme) : host_port->port;
  auto question = rest.find('?');
  url.path = rest.substr(0, question);
  if (url.path.empty()) url.path = "/";
  if (question != std::string_view::npos) url.query = rest.substr(question + 1);
  return url;
}

std::optional<Url> resolve_url(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  auto scheme_end = reference.find("://");
  if (scheme_end != std::string_view::npos && scheme_end < reference.find_first_of("/?"))
    return parse_url(reference);
  if (reference.starts_with("//")) return parse_url(fmt::format("{}:{}", base.scheme, reference));
  if (!is_printable(reference)) return std::nullopt;
  Url made = base;
  if (reference.empty()) return made;
  auto question = reference.find('?');
  std::string_view path = reference.substr(0, question);
  made.query = question == std::string_view::npos ? "" : reference.substr(question + 1);
  if (path.starts_with('/')) {
    made.path = without_dots(path);
  } else if (!path.empty()) {
    made.path = without_dots(base.path.substr(0, base.path.rfind('/') + 1) + std::string(path));
  }
  return made;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (char c : text) {
    bool is_unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (is_unreserved || (keep_slash && c == '/')) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}",
                     static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    auto byte = i + 2 < text.size() ? unhex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    auto equals = part.find('=');
    std::string value = equals == std::string::npos ? "" : part.substr(equals + 1);
    pairs.emplace_back(decode_form(part.substr(0, equals)), decode_form(value));
  }
  return pairs;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  for (auto& [key, value] : parse_query(query)) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string print_query(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (!out.empty()) out += '&';
    out += percent_encode(key) + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace slipway::net
