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

std::string memory_table(const std::string& table, const std::string& bridge,
                         const std::string& subnet) {
  return replaced(table) +
         fmt::format(
             "table ip {0} {{\n  ct timeout soon {{\n    protocol tcp;\n    l3proto ip;\n"
             "    policy = {{ time_wait : 5, close : 2 }};\n  }}\n"
             "  chain output {{\n    type filter hook output priority 0;\n"
             "    oifname \"{1}\" ip daddr {2} meta l4proto tcp ct timeout set \"soon\"\n  "
             "}}\n}}\n",
             table, bridge, subnet);
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

// Each rule takes its share of what the rules before it left: of three targets a third, a half, the rest.
std::string shared_table(const std::string& table, const std::vector<SharedForward>& forwards) {
  std::string rules;
  for (const auto& forward : forwards) {
    for (std::size_t i = 0; i < forward.targets.size(); ++i) {
      auto left = forward.targets.size() - i;
      const auto& [address, port] = forward.targets[i];
      if (!parse_address(address) || !parse_address(forward.listen_address))
        fail(Fault::bad_input, "'{}' to '{}' is no way from an IPv4 address to another",
             forward.listen_address, address);
      std::string dice = left == 1 ? "" : fmt::format("numgen random mod {} 0 ", left);
      rules += fmt::format("    ip daddr {} tcp dport {} {}dnat to {}:{}\n", forward.listen_address,
                           forward.listen_port, dice, address, port);
    }
  }
  return replaced(table) +
         fmt::format(
             "table ip {0} {{\n  chain output {{\n    type nat hook output priority -100;\n{1}  "
             "}}\n"
             "  chain postrouting {{\n    type nat hook postrouting priority 100;\n"
             "    ip saddr 127.0.0.0/8 oifname != \"lo\" masquerade\n  }}\n}}\n",
             table, rules);
}

}  // namespace slipway::container
