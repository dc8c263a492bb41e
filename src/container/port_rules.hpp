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

/// The nftables text for ports published inside a namespace; no forwards: the table is only removed.
std::string forward_table(const std::string& table, const std::vector<PortForward>& forwards);

}  // namespace slipway::container
