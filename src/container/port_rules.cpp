// SPDX-License-Identifier: Apache-2.0
#include "container/port_rules.hpp"

#include "base/error.hpp"
#include "container/address_pool.hpp"

namespace slipway::container {
namespace {

std::string rule(const PortForward& forward) {
  if (!parse_address(forward.target_address) || !parse_address(forward.listen_address)) {
    fail(Fault::bad_input, "'{}' to '{}' is no way from an IPv4 address to another",
         forward.listen_address, forward.target_address);
  }
  std::string where = forward.listen_address == "0.0.0.0" ? "fib daddr type local"
                                                          : "ip daddr " + forward.listen_address;
  return fmt::format("    {} {} dport {} dnat to {}:{}\n", where, forward.udp ? "udp" : "tcp",
                     forward.listen_port, forward.target_address, forward.target_port);
}

// Made before it is deleted, so that the deletion never fails: the whole text is one transaction.
std::string replaced(const std::string& table) {
  return fmt::format("table ip {0}\ndelete table ip {0}\n", table);
}

std::string rules_of(const std::vector<PortForward>& forwards) {
  std::string rules;
  for (const auto& forward : forwards) rules += rule(forward);
  return rules;
}

std::string port_chains(const std::string& rules) {
  if (rules.empty()) return {};
  return fmt::format(
      "  chain prerouting {{\n    type nat hook prerouting priority -100;\n{0}  }}\n"
      "  chain output {{\n    type nat hook output priority -100;\n{0}  }}\n",
      rules);
}

}  // namespace

std::string network_table(const std::string& table, const std::string& bridge,
                          const std::string& subnet,
                          const std::map<std::string, std::vector<PortForward>>& published) {
  std::string rules;
  for (const auto& [key, forwards] : published) rules += rules_of(forwards);
  return replaced(table) +
         fmt::format(
             "table ip {0} {{\n"
             "  chain postrouting {{\n    type nat hook postrouting priority 100;\n"
             "    ip saddr {2} oifname != \"{1}\" masquerade\n"
             "    ip saddr {2} ip daddr {2} ct status dnat masquerade\n"
             "    ip saddr 127.0.0.0/8 oifname \"{1}\" masquerade\n  }}\n"
             "  chain forward {{\n    type filter hook forward priority 0; policy accept;\n"
             "    iifname \"{1}\" accept\n    oifname \"{1}\" accept\n  }}\n{3}}}\n",
             table, bridge, subnet, port_chains(rules));
}

std::string forward_table(const std::string& table, const std::vector<PortForward>& forwards) {
  if (forwards.empty()) return replaced(table);
  return replaced(table) +
         fmt::format(
             "table ip {0} {{\n  chain postrouting {{\n    type nat hook postrouting priority "
             "100;\n"
             "    ip saddr 127.0.0.0/8 oifname != \"lo\" masquerade\n  }}\n{1}}}\n",
             table, port_chains(rules_of(forwards)));
}

}  // namespace slipway::container
