// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::image {

/// What an EXPOSE names: "80/tcp", or what is wrong with it.
struct Ports {
  std::vector<std::string> ports;
  std::string error;
  bool has_upper_case_protocol = false;  ///< "80/TCP"
  bool has_host = false;                 ///< an address or a host's port stands in front
};

/// Reads "[[address:]host-ports:]8000-8002[/udp]"; only the container's ports count.
///   source  moby/buildkit frontend/dockerfile/dockerfile2llb/convert_expose.go
Ports read_ports(std::string_view given);

/// True for what STOPSIGNAL may name: a number above 0, or a name with or without SIG.
bool is_signal(std::string_view text);

}  // namespace slipway::image
