// SPDX-License-Identifier: Apache-2.0
#include "image/ports.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"

namespace slipway::image {
namespace {

std::optional<std::pair<long long, long long>> read_port_range(std::string_view text) {
  auto dash = text.find('-');
  auto first = to_integer(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : to_integer(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *first > *last || *last > 65535) return std::nullopt;
  return std::pair{*first, *last};
}

bool is_address(std::string text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

}  // namespace

Ports read_ports(std::string_view given) {
  std::string protocol = "tcp";
  bool protocol_is_upper = false;
  std::string_view text = given;
  if (auto slash = text.rfind('/'); slash != std::string_view::npos) {
    if (slash + 1 < text.size()) protocol = to_lower(text.substr(slash + 1));
    protocol_is_upper = slash + 1 < text.size() && protocol != text.substr(slash + 1);
    text = text.substr(0, slash);
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
      return {{}, fmt::format("invalid proto: {}", protocol)};
  }
  auto colon = text.rfind(':');
  std::string_view front =
      colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  if (colon != std::string_view::npos) text = text.substr(colon + 1);
  auto range = read_port_range(text);
  if (!range) return {{}, fmt::format("invalid containerPort: {}", text)};
  if (auto second = front.rfind(':'); second != std::string_view::npos) {
    if (auto address = std::string(front.substr(0, second));
        !address.empty() && !is_address(address)) {
      return {{}, "invalid IP address: " + address};
    }
    front = front.substr(second + 1);
  }
  if (!front.empty()) {
    auto host = read_port_range(front);
    if (!host) return {{}, fmt::format("invalid hostPort: {}", front)};
    auto count = range->second - range->first;
    if (count != 0 && count != host->second - host->first) {
      return {{},
              fmt::format("invalid ranges specified for container and host Ports: {} and {}", text,
                          front)};
    }
  }
  Ports out{.has_upper_case_protocol = protocol_is_upper,
            .has_host = colon != std::string_view::npos && colon > 0};
  for (auto port = range->first; port <= range->second; ++port)
    out.ports.push_back(fmt::format("{}/{}", port, protocol));
  return out;
}

bool is_signal(std::string_view text) {
  if (auto number = to_integer(text)) return *number > 0;
  static constexpr std::string_view kNames[] = {
      "ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",  "ILL",
      "INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",  "QUIT",
      "SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN", "TTOU",
      "URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"};
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return true;
  if (!name.starts_with("RTMIN") && !name.starts_with("RTMAX")) return false;
  auto offset = std::string_view(name).substr(5);
  bool is_min = name.starts_with("RTMIN");
  if (offset.empty()) return true;
  if (offset.front() != (is_min ? '+' : '-')) return false;
  auto number = to_integer(offset.substr(1));
  return number && *number >= 1 && *number <= (is_min ? 15 : 14);
}

}  // namespace slipway::image
