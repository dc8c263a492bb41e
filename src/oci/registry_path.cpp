// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "net/url.hpp"
#include "oci/registry_exchange.hpp"

namespace slipway::oci {
namespace {

// Digits only: no sign, no space.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > 18 ||
      text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  auto value = to_integer(text);
  return value ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

std::string join_first(const std::vector<std::string>& parts, std::size_t count) {
  return join(std::span(parts).first(count), "/");
}

}  // namespace

bool RegistryServer::is_registry_path(std::string_view path) {
  return path == "/v2" || path.starts_with("/v2/");
}

RegistryPath parse_registry_path(std::string_view path) {
  using Kind = RegistryPath::Kind;
  if (path == "/v2" || path == "/v2/") return {Kind::ping, "", ""};
  auto decoded = net::percent_decode(path);
  if (!decoded || !decoded->starts_with("/v2/") || decoded->find('\0') != std::string::npos)
    return {};
  std::vector<std::string> parts = split(decoded->substr(4), '/');
  const std::size_t count = parts.size();
  if (count == 1 && parts[0] == "_catalog") return {Kind::catalog, "", ""};
  auto from_end = [&](std::size_t back) -> const std::string& { return parts[count - back]; };
  if (count >= 3 && from_end(2) == "tags" && from_end(1) == "list")
    return {Kind::tags, join_first(parts, count - 2), ""};
  if (count >= 3 && from_end(2) == "blobs" && from_end(1) == "uploads")
    return {Kind::uploads, join_first(parts, count - 2), ""};
  if (count >= 4 && from_end(3) == "blobs" && from_end(2) == "uploads") {
    Kind kind = from_end(1).empty() ? Kind::uploads : Kind::upload;
    return {kind, join_first(parts, count - 3), from_end(1)};
  }
  if (count >= 3 && from_end(2) == "manifests")
    return {Kind::manifest, join_first(parts, count - 2), from_end(1)};
  if (count >= 3 && from_end(2) == "blobs")
    return {Kind::blob, join_first(parts, count - 2), from_end(1)};
  if (count >= 3 && from_end(2) == "referrers")
    return {Kind::referrers, join_first(parts, count - 2), from_end(1)};
  return {};
}

namespace {

// One of a Range header's ranges as it lies in the content: Kind::whole when it is none.
RangeAnswer parse_one_range(std::string_view spec, std::uint64_t size) {
  using Kind = RangeAnswer::Kind;
  std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return {};
  std::string_view first_text = trim(spec.substr(0, dash));
  std::string_view last_text = trim(spec.substr(dash + 1));
  auto first = number(first_text);
  auto last = number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last))
    return {};
  if (!first) {  // the last so many bytes
    if (*last == 0 || size == 0) return {Kind::unsatisfiable, {}};
    return {Kind::part, {ByteRange{size - std::min(*last, size), size - 1}}};
  }
  if (last && *last < *first) return {Kind::unsatisfiable, {}};
  if (*first >= size) return {Kind::unsatisfiable, {}};
  return {Kind::part, {ByteRange{*first, std::min(last.value_or(size - 1), size - 1)}}};
}

}  // namespace

RangeAnswer parse_range(std::string_view header, std::uint64_t size) {
  using Kind = RangeAnswer::Kind;
  constexpr std::string_view kUnit = "bytes=";
  header = trim(header);
  if (!equals_ignoring_case(header.substr(0, kUnit.size()), kUnit)) return {};
  RangeAnswer answer{Kind::unsatisfiable, {}};
  std::uint64_t total = 0;
  for (const std::string& spec : split(header.substr(kUnit.size()), ',')) {
    RangeAnswer one = parse_one_range(spec, size);
    if (one.kind == Kind::whole) return {};
    for (const ByteRange& range : one.ranges) {
      answer.kind = Kind::part;
      answer.ranges.push_back(range);
      total += range.last - range.first + 1;
      if (total > size && answer.ranges.size() > 1) return {};
    }
  }
  return answer;
}

std::optional<ByteRange> parse_content_range(std::string_view header) {
  header = trim(header);
  if (header.starts_with("bytes ") || header.starts_with("bytes=")) header = trim(header.substr(6));
  header = header.substr(0, header.find('/'));
  std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto first = number(header.substr(0, dash));
  auto last = number(header.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return ByteRange{*first, *last};
}

}  // namespace slipway::oci
