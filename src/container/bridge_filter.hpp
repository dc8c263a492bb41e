// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

namespace slipway::container {

/// Connections that one side lets begin.
struct FilterRule {
  std::string protocol;  ///< "tcp", "udp", "icmp", a number; empty: every one
  int first_port = 0;    ///< of tcp and udp
  int last_port = 65535;
  std::vector<std::string> ranges;  ///< peers, "10.0.0.0/8"
  std::vector<std::string> sets;    ///< peers, by the names of BridgeFilter::sets
  bool operator==(const FilterRule&) const = default;
};
struct FilterPolicy {
  std::vector<FilterRule> in, out;
  bool operator==(const FilterPolicy&) const = default;
};

/// Who may begin a connection with whom on a bridge. Addresses that are no member are not restricted, but members let them in or not.
struct BridgeFilter {
  std::map<std::string, std::set<std::string>> sets;  ///< name, [a-z0-9_]+ → IPv4 addresses
  std::map<std::string, FilterPolicy> policies;       ///< by name, [a-z0-9_]+
  std::map<std::string, std::string> members;         ///< address → policy
  std::string resolver;  ///< an address whose port 53 every member reaches; empty: none
};

/// The nftables text that makes a table of the bridge family follow a filter. What has begun goes on: only the first packet of a TCP
/// connection, echo requests and UDP that answers nothing are looked at, for the kernel's connection tracking of bridges is an option
/// that not every kernel has.
///   throws  Error{bad_input}: an address or range that is none
///   source  nft(8); tests/behaviour/cloud_security_groups.sh shows what it does
std::string bridge_filter_table(const std::string& table, const BridgeFilter& filter);

}  // namespace slipway::container
