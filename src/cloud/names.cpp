// SPDX-License-Identifier: Apache-2.0
#include "cloud/names.hpp"

namespace slipway::cloud {

void Names::on_change(std::function<void(const Table&)> changed) {
  changed_ = std::move(changed);
  tell();
}

void Names::set(const std::string& name, const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    hosts_[name] = address;
  }
  tell();
}

void Names::erase(const std::string& name) {
  {
    std::lock_guard lock(mutex_);
    hosts_.erase(name);
  }
  tell();
}

void Names::set_zone(const std::string& owner, const std::string& zone,
                     std::optional<std::map<std::string, container::DnsRecords>> records) {
  {
    std::lock_guard lock(mutex_);
    zones_.erase(owner);
    if (records) zones_[owner][zone] = std::move(*records);
  }
  tell();
}

Names::Table Names::table() const {
  std::lock_guard lock(mutex_);
  Table table{.hosts = hosts_, .zones = {}};
  for (const auto& [owner, zones] : zones_) {
    for (const auto& [name, records] : zones) {
      for (const auto& [host, more] : records) {
        auto& all = table.zones[name][host];
        auto addresses = std::move(all.addresses);
        auto ports = std::move(all.ports);
        all = more;
        all.addresses.insert(all.addresses.end(), addresses.begin(), addresses.end());
        all.ports.insert(all.ports.end(), ports.begin(), ports.end());
      }
      table.zones[name];  // an empty zone is one too
    }
  }
  return table;
}

void Names::tell() {
  if (changed_) changed_(table());
}

}  // namespace slipway::cloud
