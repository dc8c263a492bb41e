// SPDX-License-Identifier: Apache-2.0
#include "oci/reference.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::oci {
namespace {

constexpr std::size_t kMostRepository = 255;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

// [a-z0-9]+ with single '.', '_', double "__" or any run of '-' between.
bool is_component(std::string_view text) {
  std::size_t at = 0;
  auto letters = [&] {
    std::size_t begin = at;
    while (at < text.size() && is_lower_alnum(text[at])) ++at;
    return at > begin;
  };
  if (!letters()) return false;
  while (at < text.size()) {
    char separator = text[at++];
    if (separator == '_') {
      if (at < text.size() && text[at] == '_') ++at;
    } else if (separator == '-') {
      while (at < text.size() && text[at] == '-') ++at;
    } else if (separator != '.') {
      return false;
    }
    if (!letters()) return false;
  }
  return true;
}

bool is_port(std::string_view text) {
  auto port = to_integer(text);
  return !text.empty() && text.size() <= 5 &&
         text.find_first_not_of("0123456789") == std::string_view::npos && port && *port <= 65535;
}

bool is_host_name(std::string_view name) {
  for (const std::string& label : split(name, '.')) {
    if (label.empty() || !is_alnum(label.front()) || !is_alnum(label.back())) return false;
    for (char c : label) {
      if (!is_alnum(c) && c != '-') return false;
    }
  }
  return true;
}

// A DNS name or IPv4 address, or an IPv6 address in brackets; then perhaps a port.
bool is_host(std::string_view text) {
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    if (text.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:.") !=
        std::string_view::npos)
      return false;
    std::string_view rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  return is_host_name(text.substr(0, colon));
}

// docker's rule: what is before the first '/' is a host when it could not be a component of a path.
bool looks_like_host(std::string_view first) {
  if (first == "localhost" || first.find_first_of(".:") != std::string_view::npos) return true;
  return to_lower(first) != first;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  fail(Fault::bad_input, "'{}' is not an image name: {}", text.substr(0, 300), why);
}

}  // namespace

bool is_repository(std::string_view text) {
  if (text.empty() || text.size() > kMostRepository) return false;
  for (const std::string& component : split(text, '/')) {
    if (!is_component(component)) return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || text.front() == '.' || text.front() == '-') return false;
  for (char c : text) {
    if (!is_alnum(c) && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

Reference Reference::parse(std::string_view text) {
  Reference result;
  std::string_view rest = text;
  if (std::size_t at = rest.find('@'); at != std::string_view::npos) {
    result.digest = Digest::try_parse(rest.substr(at + 1));
    if (!result.digest)
      refuse(text, "what follows '@' is not a digest (sha256: and 64 hexadecimal digits)");
    rest = rest.substr(0, at);
  }
  std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && looks_like_host(rest.substr(0, slash))) {
    result.host = rest.substr(0, slash);
    if (!is_host(result.host))
      refuse(text, fmt::format("'{}' is not a registry's host", result.host));
    rest = rest.substr(slash + 1);
  }
  if (std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    result.tag = rest.substr(colon + 1);
    if (!is_tag(result.tag)) refuse(text, fmt::format("'{}' is not a tag", result.tag));
    rest = rest.substr(0, colon);
  }
  if (result.host.empty() || result.host == "index.docker.io") result.host = "docker.io";
  bool is_official = result.host == "docker.io" && rest.find('/') == std::string_view::npos;
  result.repository = (is_official && !rest.empty() ? "library/" : "") + std::string(rest);
  if (rest.empty()) refuse(text, "the repository's name is missing");
  if (result.repository.size() > kMostRepository)
    refuse(text, "the repository's name is longer than 255 characters");
  if (to_lower(rest) != rest) refuse(text, "a repository's name has no upper-case letters");
  if (!is_repository(result.repository))
    refuse(text, fmt::format("'{}' is not a repository's name", rest));
  if (result.tag.empty() && !result.digest) result.tag = "latest";
  return result;
}

std::string Reference::str() const {
  std::string text = name();
  if (!tag.empty()) text += ":" + tag;
  if (digest) text += "@" + digest->str();
  return text;
}

std::string Reference::familiar() const {
  std::string text = str();
  if (host != "docker.io") return text;
  text = text.substr(host.size() + 1);
  std::string_view official = "library/";
  // "library/a/b" must keep its first part, else it would read as another repository.
  bool is_official =
      text.starts_with(official) && repository.find('/', official.size()) == std::string::npos;
  return is_official ? text.substr(official.size()) : text;
}

}  // namespace slipway::oci
