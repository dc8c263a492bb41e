// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "container/dns_server.hpp"

namespace slipway::cloud {

/// The names that this cloud's network resolves itself, beyond *.amazonaws.com: services enter theirs (a load balancer's host name
/// and address) at their start and when they change.
///   threads  any
class Names final {
 public:
  struct Table {
    container::NameTable hosts;
    container::DnsZones zones;
  };
  /// `changed` is told the whole table after each change, and at once.
  void on_change(std::function<void(const Table&)> changed);
  /// A name ("shop-1.us-east-1.elb.amazonaws.com", "*.rds.amazonaws.com") and its IPv4 address.
  void set(const std::string& name, const std::string& address);
  void erase(const std::string& name);
  /// The records of a private zone of `owner`'s; owners that name theirs alike have one zone together. None: the owner has it no more.
  void set_zone(const std::string& owner, const std::string& zone,
                std::optional<std::map<std::string, container::DnsRecords>> records);
  [[nodiscard]] Table table() const;

 private:
  void tell();
  mutable std::mutex mutex_;
  container::NameTable hosts_;                        // guarded by mutex_
  std::map<std::string, container::DnsZones> zones_;  // by owner; guarded by mutex_
  std::function<void(const Table&)> changed_;         // set before the services run
};

}  // namespace slipway::cloud
