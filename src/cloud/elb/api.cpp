// SPDX-License-Identifier: Apache-2.0
#include "cloud/elb/api.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/network.hpp"

namespace slipway::cloud::elb {

Elb::Elb(const Surroundings& around)
    : around_(around),
      haproxy_(around.options.state / "cloud/haproxy", around.log),
      checker_({.use_proxy = false, .user_agent = "ELB-HealthChecker/2.0"}) {
  around_.state.read([&](Tables& tables) {
    world_.with([&](World& world) {
      for (auto& [scope, row] : tables.list_everywhere("elb.lb")) {
        auto balancer = balancer_from_json(scope, row.body);
        world.model.balancers.emplace(balancer.arn, balancer);
      }
      for (auto& [scope, row] : tables.list_everywhere("elb.listener")) {
        auto listener = listener_from_json(scope, row.body);
        world.model.listeners.emplace(listener.arn, listener);
      }
      for (auto& [scope, row] : tables.list_everywhere("elb.tg")) {
        auto group = group_from_json(scope, row.body);
        world.model.groups.emplace(group.arn, group);
      }
      for (auto& [scope, row] : tables.list_everywhere("elb.target")) {
        auto target = target_from_json(row.body);
        if (target.state != "draining") world.model.targets.emplace(target.key(), target);
      }
    });
  });
}

const ServiceDescription& Elb::description() const {
  static const ServiceDescription kDescription{
      .signing_name = "elasticloadbalancing",
      .api_version = "2015-12-01",
      .xml_namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
      .protocol = Protocol::query,
      .host_prefixes = {"elasticloadbalancing"}};
  return kDescription;
}

const Operations<Elb>& Elb::operations() {
  static const Operations<Elb> kOperations = {
      {"CreateLoadBalancer", &Elb::create_load_balancer},
      {"DescribeLoadBalancers", &Elb::describe_load_balancers},
      {"DeleteLoadBalancer", &Elb::delete_load_balancer},
      {"DescribeLoadBalancerAttributes", &Elb::describe_load_balancer_attributes},
      {"ModifyLoadBalancerAttributes", &Elb::modify_load_balancer_attributes},
      {"AddTags", &Elb::add_tags},
      {"RemoveTags", &Elb::remove_tags},
      {"DescribeTags", &Elb::describe_tags},
      {"CreateListener", &Elb::create_listener},
      {"DescribeListeners", &Elb::describe_listeners},
      {"ModifyListener", &Elb::modify_listener},
      {"DeleteListener", &Elb::delete_listener},
      {"CreateRule", &Elb::create_rule},
      {"DescribeRules", &Elb::describe_rules},
      {"DeleteRule", &Elb::delete_rule},
      {"ModifyRule", &Elb::modify_rule},
      {"SetRulePriorities", &Elb::set_rule_priorities},
      {"DescribeListenerAttributes", &Elb::describe_listener_attributes},
      {"ModifyListenerAttributes", &Elb::modify_listener_attributes},
      {"DescribeListenerCertificates", &Elb::describe_listener_certificates},
      {"DescribeAccountLimits", &Elb::describe_account_limits},
      {"DescribeCapacityReservation", &Elb::describe_capacity_reservation},
      {"SetSubnets", &Elb::set_subnets},
      {"SetSecurityGroups", &Elb::set_security_groups},
      {"SetIpAddressType", &Elb::set_ip_address_type},
      {"CreateTargetGroup", &Elb::create_target_group},
      {"DescribeTargetGroups", &Elb::describe_target_groups},
      {"ModifyTargetGroup", &Elb::modify_target_group},
      {"DeleteTargetGroup", &Elb::delete_target_group},
      {"DescribeTargetGroupAttributes", &Elb::describe_target_group_attributes},
      {"ModifyTargetGroupAttributes", &Elb::modify_target_group_attributes},
      {"RegisterTargets", &Elb::register_targets},
      {"DeregisterTargets", &Elb::deregister_targets},
      {"DescribeTargetHealth", &Elb::describe_target_health},
  };
  return kOperations;
}

// What is described is asked for on "*", what is changed on its ARN.
// source Service Authorization Reference, "Actions, resources, and condition keys for AWS Elastic Load Balancing V2"
std::vector<Permission> Elb::permissions(const Call& call) const {
  std::string action = "elasticloadbalancing:" + call.operation;
  if (call.operation.starts_with("Describe")) return {{action, "*", {}}};
  auto made = [&](const std::string& kind) {
    return std::vector<Permission>{
        {action,
         arn("elasticloadbalancing", call.region, call.account,
             fmt::format("{}/{}/*", kind, call.input.get_string("Name"))),
         {}}};
  };
  if (call.operation == "CreateLoadBalancer")
    return made(call.input.get_string("Type") == "network" ? "loadbalancer/net"
                                                           : "loadbalancer/app");
  if (call.operation == "CreateTargetGroup") return made("targetgroup");
  for (const char* key : {"RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn"}) {
    if (std::string resource = call.input.get_string(key); !resource.empty())
      return {{action, resource, {}}};
  }
  std::vector<Permission> out;
  for (Json list = list_of(call, "ResourceArns"); const auto& resource : list.as_array())
    out.push_back({action, resource.is_string() ? resource.as_string() : "", {}});
  if (out.empty()) out.push_back({action, "*", {}});
  return out;
}

bool Elb::has(std::string_view operation) const { return operations().contains(operation); }
Json Elb::call(const Call& call) { return dispatch(*this, operations(), call); }

void Elb::change(const std::function<void(Model&, Tables&)>& use, bool reconfigure) {
  Model before;
  Model after;
  world_.with([&](World& world) {
    Model next = world.model;  // a refusal changes nothing
    around_.state.write([&](Tables& tables) { use(next, tables); });
    if (reconfigure) {
      before = std::move(world.model);
      after = next;
    }
    world.model = std::move(next);
    ++world.version;
  });
  if (!reconfigure) return;
  try {
    configure();
  } catch (const Error&) {
    take_back(before, after);
    throw;
  }
}

namespace {

// Brings a map back to what it was for the keys that a change has touched; what others have changed since stays.
template <typename Map, typename Put, typename Erase>
void restore(Map& now, const Map& before, const Map& after, const Put& put, const Erase& erase) {
  for (const auto& [key, value] : after) {
    if (before.contains(key)) continue;
    now.erase(key);
    erase(value);
  }
  for (const auto& [key, value] : before) {
    auto changed = after.find(key);
    if (changed != after.end() && to_json(changed->second) == to_json(value)) continue;
    now.insert_or_assign(key, value);
    put(value);
  }
}

}  // namespace

// HAProxy did not follow a change: the caller is told that it failed, so it must not be there when the caller tries again.
void Elb::take_back(const Model& before, const Model& after) {
  note([&](Model& model, Tables& tables) {
    restore(
        model.balancers, before.balancers, after.balancers,
        [&](const LoadBalancer& b) { tables.put("elb.lb", b.scope, b.name, to_json(b)); },
        [&](const LoadBalancer& b) { tables.erase("elb.lb", b.scope, b.name); });
    restore(
        model.listeners, before.listeners, after.listeners,
        [&](const Listener& l) { tables.put("elb.listener", l.scope, l.arn, to_json(l)); },
        [&](const Listener& l) { tables.erase("elb.listener", l.scope, l.arn); });
    restore(
        model.groups, before.groups, after.groups,
        [&](const TargetGroup& g) { tables.put("elb.tg", g.scope, g.name, to_json(g)); },
        [&](const TargetGroup& g) { tables.erase("elb.tg", g.scope, g.name); });
    for (const auto& [key, target] : before.targets) {  // those of a group that was to go
      if (after.targets.contains(key)) continue;
      model.targets[key] = target;
      tables.put("elb.target", before.groups.at(target.group_arn).scope, key, to_json(target));
    }
  });
  try {
    configure();  // what HAProxy may have taken of it
  } catch (const Error& error) {
    around_.log.warn("elb: haproxy: {}", error.what());
  }
}

void Elb::note(const std::function<void(Model&, Tables&)>& use) {
  world_.with([&](World& world) {
    around_.state.write([&](Tables& tables) { use(world.model, tables); });
    ++world.version;
  });
}

Json& Elb::tags_of(Model& model, const std::string& arn) {
  if (auto it = model.balancers.find(arn); it != model.balancers.end()) return it->second.tags;
  if (auto it = model.groups.find(arn); it != model.groups.end()) return it->second.tags;
  if (arn.find(":targetgroup/") != std::string::npos)
    refuse("TargetGroupNotFound", "One or more target groups not found");
  refuse("LoadBalancerNotFound", "One or more load balancers not found");
}

std::string new_id() { return hex(random_bytes(8)); }

Json list_of(const Call& call, const char* key) {
  const Json* list = call.input.find(key);
  return list && list->is_array() ? *list : Json::array();
}

Json attribute_list(const Json& attributes) {
  Json out = Json::array();
  if (!attributes.is_object()) return out;
  for (const auto& [key, value] : attributes.as_object())
    out.push_back(Json::object({{"Key", key}, {"Value", value}}));
  return out;
}

void merge_attributes(Json& attributes, const Call& call) {
  for (Json list = list_of(call, "Attributes"); const auto& item : list.as_array())
    attributes[item.get_string("Key")] = item.get_string("Value");
}

std::unique_ptr<LoadBalancing> make(const Surroundings& around) {
  return std::make_unique<Elb>(around);
}

}  // namespace slipway::cloud::elb
