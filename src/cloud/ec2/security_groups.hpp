// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "cloud/cloud.hpp"
#include "cloud/state.hpp"
#include "container/bridge_filter.hpp"

namespace slipway::cloud::ec2 {

inline constexpr std::string_view kSubnetKind = "ec2.subnet";
inline constexpr std::string_view kGroupKind = "ec2.group";

/// Something with an address in the tasks' network, as security groups see it.
struct Interface {
  Scope scope;
  std::vector<std::string> groups;  ///< ids; empty: the default group of the subnet's VPC
  std::string subnet;               ///< id
  bool is_balancer = false;         ///< its requests to targets come from this machine's address
  bool operator==(const Interface&) const = default;
};

/// Security groups as rules between tasks and load balancers: what no rule allows does not arrive.
/// What comes from this machine itself counts as its address, and as each load balancer's, whose requests HAProxy sends from there.
///   threads  any
class SecurityGroups final {
 public:
  /// Nothing is restricted without a network.
  SecurityGroups(State& state, const CloudOptions& options, Log& log)
      : state_(state), options_(options), log_(log) {}
  SecurityGroups(const SecurityGroups&) = delete;
  SecurityGroups& operator=(const SecurityGroups&) = delete;
  ~SecurityGroups() = default;

  /// From its return on an address is restricted by its groups. Joining again replaces.
  void join(const std::string& address, const Interface& interface);
  void leave(const std::string& address);
  /// After a group's rules changed: in force at its return.
  void rules_changed();

 private:
  void apply(std::unique_lock<std::mutex>& lock);
  container::BridgeFilter filter_of(const std::map<std::string, Interface>& members);

  State& state_;
  const CloudOptions& options_;
  Log& log_;
  std::mutex mutex_;
  std::condition_variable applied_one_;
  std::map<std::string, Interface> members_;  // by address; guarded by mutex_
  std::uint64_t wanted_ = 0;                  // counts changes; guarded by mutex_
  std::uint64_t applied_ = 0;                 // the change up to which the kernel follows
  bool is_applying_ = false;
};

/// What the kernel has to follow. Pure.
///   groups   id → document as DescribeSecurityGroups shows it
///   subnets  id → document as DescribeSubnets shows it
///   gateway  this machine's address on the network, also the resolver
container::BridgeFilter security_filter(const std::map<std::string, Interface>& members,
                                        const std::map<std::string, Json>& groups,
                                        const std::map<std::string, Json>& subnets,
                                        const std::string& gateway);
/// throws Refusal with ECS's words when a subnet or group of an awsvpcConfiguration does not exist
void check_awsvpc(State& state, const Scope& scope, const Json& awsvpc);

}  // namespace slipway::cloud::ec2
