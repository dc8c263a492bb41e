// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "container/network.hpp"

namespace slipway::container {

/// The nftables text that makes (or replaces) the table of a network on the host: masquerading, forwarding, published ports.
std::string network_table(const std::string& table, const std::string& bridge,
                          const std::string& subnet,
                          const std::map<std::string, std::vector<PortForward>>& published);

/// The nftables text that makes (or replaces) a table by which the kernel soon forgets ended connections from the host to a network. It
/// remembers each for two minutes, in a table of limited size: a load balancer's thousands a second would fill it, and a full one drops
/// new connections.
///   source  nft(8), CT TIMEOUT; Linux Documentation/networking/nf_conntrack-sysctl.rst
std::string memory_table(const std::string& table, const std::string& bridge,
                         const std::string& subnet);

/// The nftables text for ports published inside a namespace; no forwards: the table is only removed.
std::string forward_table(const std::string& table, const std::vector<PortForward>& forwards);

/// The nftables text for ports with several targets inside a namespace, for connections that begin there.
std::string shared_table(const std::string& table, const std::vector<SharedForward>& forwards);

}  // namespace slipway::container
