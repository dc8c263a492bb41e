// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/log.hpp"

namespace slipway::container {

/// Which names we answer ourselves: "registry.test" or "*.amazonaws.com" (any depth below) -> an IPv4 address. The most exact wins.
using NameTable = std::map<std::string, std::string>;

/// A port of one instance, as an SRV record names it.
struct DnsPort {
  std::string host;  ///< "i-1.api.shop.local"
  std::uint16_t port = 0;
  bool operator==(const DnsPort&) const = default;
};
/// What one name of a zone has.
struct DnsRecords {
  std::vector<std::string> addresses;  ///< IPv4
  std::vector<DnsPort> ports;
  std::uint32_t ttl = 60;  ///< seconds
  std::size_t most = 8;    ///< that one answer has, drawn anew for each
  bool operator==(const DnsRecords&) const = default;
};
/// A private zone: "shop.local", and all that there is in it by its whole name, in small letters. What is not there does not exist.
using DnsZones = std::map<std::string, std::map<std::string, DnsRecords>>;

/// The address of a name, or nothing. Case does not matter, nor a last dot.
std::optional<std::string> look_up(const NameTable& names, std::string_view name);

/// One message's answer without the network: from the table and the zones, or nothing when it is to be forwarded.
///   returns  also FORMERR, NOTIMP and (in our zones) NXDOMAIN answers; a type that a name of ours has not is answered empty
///   source   RFC 1035 section 4; RFC 2782 (SRV); RFC 6891 (EDNS is ignored)
std::optional<std::string> answer_dns(std::string_view query, const NameTable& names,
                                      const DnsZones& zones = {});

/// A small DNS server on UDP and TCP: our names from a table and our zones, the rest from the host's resolvers.
class DnsServer final {
 public:
  /// Binds at once. throws Error{unavailable} when the address is taken
  ///   port  0: the kernel chooses; see port()
  ///   upstream  "address" or "address:port"; empty: what the host's /etc/resolv.conf names
  DnsServer(const std::string& address, std::uint16_t port, NameTable names,
            std::vector<std::string> upstream, Log& log);
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void set_names(NameTable names, DnsZones zones = {});
  /// Serves until stopped.
  void run(std::stop_token stop);

 private:
  struct Sockets;
  using Starter = std::function<void(std::function<void(const std::stop_token&)>)>;
  std::string resolve(std::string_view query, bool tcp, const std::stop_token& stop);
  void serve_udp(const Starter& in_a_thread);
  void serve_tcp(const Starter& in_a_thread);
  std::unique_ptr<Sockets> sockets_;
  std::uint16_t port_ = 0;
  struct Known {
    NameTable names;
    DnsZones zones;
  };
  Guarded<Known> known_;
  std::vector<std::string> upstream_;
  Log& log_;
};

}  // namespace slipway::container
