// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace slipway::cloud {

/// The names that this cloud's network resolves itself, beyond *.amazonaws.com: services enter theirs (a load balancer's host name
/// and address) at their start and when they change.
///   threads  any
class Names final {
 public:
  using Table = std::map<std::string, std::string>;
  /// `changed` is told the whole table after each change, and at once.
  void on_change(std::function<void(const Table&)> changed);
  /// A name ("shop-1.us-east-1.elb.amazonaws.com", "*.rds.amazonaws.com") and its IPv4 address.
  void set(const std::string& name, const std::string& address);
  void erase(const std::string& name);
  [[nodiscard]] Table table() const;

 private:
  void tell();
  mutable std::mutex mutex_;
  Table table_;                                // guarded by mutex_
  std::function<void(const Table&)> changed_;  // set before the services run
};

}  // namespace slipway::cloud
