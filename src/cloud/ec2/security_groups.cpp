// SPDX-License-Identifier: Apache-2.0
#include "cloud/ec2/security_groups.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/service.hpp"
#include "container/address_pool.hpp"
#include "container/network.hpp"

namespace slipway::cloud::ec2 {
namespace {

// "sg-0a1b" as a name for nft.
std::string set_name(const std::string& id) { return replace_all(to_lower(id), "-", "_"); }

// nothing: the rule lets no packet of this family through
std::optional<container::FilterRule> rule_of(const Json& permission) {
  container::FilterRule rule;
  rule.protocol = permission.get_string("ipProtocol", "-1");
  if (rule.protocol == "-1" || rule.protocol == "all") rule.protocol.clear();
  if (rule.protocol == "6") rule.protocol = "tcp";
  if (rule.protocol == "17") rule.protocol = "udp";
  if (rule.protocol == "1") rule.protocol = "icmp";
  if (rule.protocol == "icmpv6" || rule.protocol == "58") return std::nullopt;
  auto from = permission.get_int("fromPort", -1);
  auto to = permission.get_int("toPort", -1);
  if (rule.protocol == "icmp") {
    if (from != -1 && from != 8) return std::nullopt;  // only echo requests begin something
  } else if (from >= 0 && to >= from) {
    rule.first_port = static_cast<int>(from);
    rule.last_port = static_cast<int>(to);
  }
  return rule;
}

// A range of the VPC's addresses means the tasks in the subnets that it covers: theirs come from another network here.
void add_range(container::FilterRule& rule, const std::string& cidr, const std::string& vpc,
               const std::map<std::string, Json>& subnets) {
  rule.ranges.push_back(cidr);
  auto range = container::parse_range(cidr);
  if (range.bits == 0) return;
  for (const auto& [id, subnet] : subnets) {
    if (subnet.get_string("vpcId") != vpc) continue;
    auto own = container::parse_range(subnet.get_string("cidrBlock"));
    if (own.overlaps(range)) rule.sets.push_back(set_name(id));
  }
}

void add_rules(std::vector<container::FilterRule>& out, const Json& group, const char* key,
               const std::map<std::string, Json>& groups,
               const std::map<std::string, Json>& subnets) {
  for (const auto& permission : group.get_array(key)) {
    auto rule = rule_of(permission);
    if (!rule) continue;
    for (const auto& one : permission.get_array("ipRanges")) {
      if (std::string cidr = one.get_string("cidrIp"); !cidr.empty())
        add_range(*rule, cidr, group.get_string("vpcId"), subnets);
    }
    for (const auto& one : permission.get_array("groups")) {
      if (std::string id = one.get_string("groupId"); groups.contains(id))
        rule->sets.push_back(set_name(id));
    }
    out.push_back(std::move(*rule));
  }
}

std::vector<std::string> groups_of(const Interface& interface,
                                   const std::map<std::string, Json>& groups,
                                   const std::map<std::string, Json>& subnets) {
  std::vector<std::string> out = interface.groups;
  auto subnet = subnets.find(interface.subnet);
  if (out.empty() && subnet != subnets.end()) {
    for (const auto& [id, group] : groups) {
      if (group.get_string("groupName") == "default" &&
          group.get_string("vpcId") == subnet->second.get_string("vpcId"))
        out.push_back(id);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

container::BridgeFilter security_filter(const std::map<std::string, Interface>& members,
                                        const std::map<std::string, Json>& groups,
                                        const std::map<std::string, Json>& subnets,
                                        const std::string& gateway) {
  container::BridgeFilter filter;
  filter.resolver = gateway;
  for (const auto& [id, group] : groups) filter.sets[set_name(id)];
  for (const auto& [id, subnet] : subnets) filter.sets[set_name(id)];
  for (const auto& [address, interface] : members) {
    auto own = groups_of(interface, groups, subnets);
    std::string policy = "none";
    for (const auto& id : own) {
      policy += "_" + set_name(id);
      auto& set = filter.sets[set_name(id)];
      set.insert(address);
      if (interface.is_balancer && !gateway.empty()) set.insert(gateway);
    }
    if (subnets.contains(interface.subnet)) filter.sets[set_name(interface.subnet)].insert(address);
    filter.members[address] = policy;
    if (filter.policies.contains(policy)) continue;
    auto& rules = filter.policies[policy];
    for (const auto& id : own) {
      auto group = groups.find(id);
      if (group == groups.end()) continue;
      add_rules(rules.in, group->second, "ipPermissions", groups, subnets);
      add_rules(rules.out, group->second, "ipPermissionsEgress", groups, subnets);
    }
  }
  return filter;
}

container::BridgeFilter SecurityGroups::filter_of(const std::map<std::string, Interface>& members) {
  std::map<std::string, Json> groups;
  std::map<std::string, Json> subnets;
  state_.read([&](Tables& tables) {
    for (auto& [scope, row] : tables.list_everywhere(kGroupKind)) groups[row.id] = row.body;
    for (auto& [scope, row] : tables.list_everywhere(kSubnetKind)) subnets[row.id] = row.body;
  });
  return security_filter(members, groups, subnets, options_.gateway);
}

void SecurityGroups::join(const std::string& address, const Interface& interface) {
  std::unique_lock lock(mutex_);
  auto [at, is_new] = members_.try_emplace(address, interface);
  if (!is_new && at->second == interface) return;
  at->second = interface;
  apply(lock);
}

void SecurityGroups::leave(const std::string& address) {
  std::unique_lock lock(mutex_);
  if (members_.erase(address) == 0) return;
  apply(lock);
}

void SecurityGroups::rules_changed() {
  std::unique_lock lock(mutex_);
  if (!members_.empty()) apply(lock);
}

// Those who come while one applies wait for the next, which does all of theirs at once.
void SecurityGroups::apply(std::unique_lock<std::mutex>& lock) {
  if (options_.network == nullptr) return;
  auto mine = ++wanted_;
  while (applied_ < mine) {
    if (is_applying_) {
      applied_one_.wait(lock);
      continue;
    }
    is_applying_ = true;
    auto upto = wanted_;
    auto members = members_;
    lock.unlock();
    try {
      options_.network->restrict(filter_of(members));
    } catch (const Error& error) {
      log_.warn("ec2: security groups are not in force: {}", error.what());
    }
    lock.lock();
    applied_ = upto;
    is_applying_ = false;
    applied_one_.notify_all();
  }
}

void check_awsvpc(State& state, const Scope& scope, const Json& awsvpc) {
  auto check = [&](const char* member, std::string_view kind, const char* noun, const char* code) {
    for (const auto& item : awsvpc.get_array(member)) {
      const std::string& id = item.as_string();
      if (state.read([&](Tables& tables) { return tables.get(kind, scope, id); })) continue;
      bool is_subnet = kind == kSubnetKind;
      refuse("InvalidParameterException",
             fmt::format("Error retrieving {} information for [{}]: The {} '{}' does not exist "
                         "(ErrorCode: {})",
                         noun, id, is_subnet ? "subnet ID" : "security group", id, code));
    }
  };
  check("subnets", kSubnetKind, "subnet", "InvalidSubnetID.NotFound");
  check("securityGroups", kGroupKind, "security group", "InvalidGroup.NotFound");
}

}  // namespace slipway::cloud::ec2
