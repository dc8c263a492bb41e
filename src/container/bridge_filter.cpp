// SPDX-License-Identifier: Apache-2.0
#include "container/bridge_filter.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "container/address_pool.hpp"

namespace slipway::container {
namespace {

void check_name(const std::string& name) {
  bool ok = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!ok) fail(Fault::bad_input, "'{}' is no name for a set or a policy of a filter", name);
}

const std::string& checked(const std::string& address) {
  if (!parse_address(address)) fail(Fault::bad_input, "'{}' is no IPv4 address", address);
  return address;
}

// What a rule looks at besides the peer.
std::string matches(const FilterRule& rule) {
  if (rule.protocol.empty()) return "";
  if (rule.protocol == "icmp") return "ip protocol icmp ";
  if (rule.protocol != "tcp" && rule.protocol != "udp") return "ip protocol " + rule.protocol + " ";
  if (rule.first_port <= 0 && rule.last_port >= 65535) return "ip protocol " + rule.protocol + " ";
  return fmt::format("{} dport {}-{} ", rule.protocol, rule.first_port, rule.last_port);
}

// A chain that returns for what is let through and drops the rest.
std::string chain(const std::string& table, const std::string& name, const char* peer,
                  const std::vector<FilterRule>& rules) {
  std::string out = fmt::format("add chain bridge {} {}\n", table, name);
  auto add = [&](const std::string& text) {
    out += fmt::format("add rule bridge {} {} {}\n", table, name, text);
  };
  for (const auto& rule : rules) {
    for (const auto& range : rule.ranges) {
      auto parsed = parse_range(range);
      add(fmt::format("{}{}return", matches(rule),
                      parsed.bits == 0 ? "" : fmt::format("ip {} {} ", peer, to_string(parsed))));
    }
    for (const auto& set : rule.sets)
      add(fmt::format("{}ip {} @{} return", matches(rule), peer, set));
  }
  add("drop");
  return out;
}

std::string check_chain(const std::string& table, const std::string& resolver) {
  std::string out = fmt::format("add chain bridge {} check\n", table);
  auto add = [&](const std::string& text) {
    out += fmt::format("add rule bridge {} check {}\n", table, text);
  };
  add("ether type != ip accept");
  add("ip frag-off & 0x1fff != 0 accept");
  add("tcp flags & (syn | ack) != syn accept");
  add("icmp type != echo-request accept");
  add("ip saddr . udp sport . ip daddr . udp dport @flows accept");
  if (!resolver.empty()) {
    for (const char* protocol : {"udp", "tcp"})
      add(fmt::format("ip daddr {} {} dport 53 accept", checked(resolver), protocol));
    add(fmt::format("ip saddr {} udp sport 53 accept", resolver));
  }
  add("ip saddr vmap @outgoing");
  add("ip daddr vmap @incoming");
  add("ip protocol udp update @flows { ip daddr . udp dport . ip saddr . udp sport }");
  return out;
}

}  // namespace

std::string bridge_filter_table(const std::string& table, const BridgeFilter& filter) {
  std::string out = fmt::format(
      "add table bridge {0}\n"
      "add set bridge {0} flows {{ type ipv4_addr . inet_service . ipv4_addr . inet_service; size "
      "65535; flags dynamic,timeout; timeout 2m; }}\n"
      "add map bridge {0} incoming {{ type ipv4_addr : verdict; }}\n"
      "add map bridge {0} outgoing {{ type ipv4_addr : verdict; }}\n"
      "flush map bridge {0} incoming\nflush map bridge {0} outgoing\nflush table bridge {0}\n",
      table);
  for (const auto& [name, addresses] : filter.sets) {
    check_name(name);
    out += fmt::format("add set bridge {0} {1} {{ type ipv4_addr; }}\nflush set bridge {0} {1}\n",
                       table, name);
    std::string elements;
    for (const auto& address : addresses)
      elements += (elements.empty() ? "" : ", ") + checked(address);
    if (!elements.empty())
      out += fmt::format("add element bridge {} {} {{ {} }}\n", table, name, elements);
  }
  for (const auto& [name, policy] : filter.policies) {
    check_name(name);
    out += chain(table, "in_" + name, "saddr", policy.in);
    out += chain(table, "out_" + name, "daddr", policy.out);
  }
  out += check_chain(table, filter.resolver);
  for (const auto& [address, policy] : filter.members) {
    out += fmt::format(
        "add element bridge {0} incoming {{ {1} : jump in_{2} }}\n"
        "add element bridge {0} outgoing {{ {1} : jump out_{2} }}\n",
        table, checked(address), policy);
  }
  for (const char* hook : {"forward", "input", "output"}) {
    out += fmt::format(
        "add chain bridge {0} {1} {{ type filter hook {1} priority 0; policy accept; }}\n"
        "add rule bridge {0} {1} jump check\n",
        table, hook);
  }
  return out;
}

}  // namespace slipway::container
