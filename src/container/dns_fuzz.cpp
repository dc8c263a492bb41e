// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "container/dns_server.hpp"

// What comes to the DNS server from inside the networks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::container;
  static const NameTable kNames = {{"*.amazonaws.com", "10.0.0.1"}};
  static const DnsZones kZones = {
      {"a.b", {{"c.a.b", {.addresses = {"10.0.0.2"}, .ports = {{"d.c.a.b", 80}}}}}}};
  auto answer = answer_dns({reinterpret_cast<const char*>(data), size}, kNames, kZones);
  if (answer && !answer->empty() && answer->size() < 12) __builtin_trap();
  return 0;
}
