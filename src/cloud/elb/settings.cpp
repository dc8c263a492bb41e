// SPDX-License-Identifier: Apache-2.0
// The operations that change or show what load balancers, listeners and rules are set to beside what they do with requests.
#include <algorithm>

#include "base/text.hpp"
#include "cloud/elb/api.hpp"

namespace slipway::cloud::elb {
namespace {

Listener& listener_of(Model& model, const std::string& arn) {
  auto it = model.listeners.find(arn);
  if (it == model.listeners.end()) refuse("ListenerNotFound", "One or more listeners not found");
  return it->second;
}

LoadBalancer& balancer_of(Model& model, const std::string& arn) {
  auto it = model.balancers.find(arn);
  if (it == model.balancers.end())
    refuse("LoadBalancerNotFound", "One or more load balancers not found");
  return it->second;
}

void save(Tables& tables, const LoadBalancer& b) {
  tables.put("elb.lb", b.scope, b.name, to_json(b));
}

// The listener that has a rule, with the rule.
std::pair<Listener*, Rule*> rule_of(Model& model, const std::string& arn) {
  for (auto& [key, listener] : model.listeners) {
    for (auto& rule : listener.rules) {
      if (rule.arn == arn) return {&listener, &rule};
    }
  }
  refuse("RuleNotFound", "One or more rules not found");
}

}  // namespace

Json Elb::modify_rule(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("RuleArn");
  Json conditions = list_of(call, "Conditions");
  Json actions = list_of(call, "Actions");
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        auto [listener, rule] = rule_of(model, wanted);
        if (rule->priority == 0)
          refuse("OperationNotPermitted", "Default rule '" + wanted + "' cannot be modified");
        if (!conditions.empty()) rule->conditions = conditions;
        if (!actions.empty()) {
          check_actions(model, actions);
          rule->actions = actions;
        }
        tables.put("elb.listener", listener->scope, listener->arn, to_json(*listener));
        out = describe(*rule);
      },
      true);
  return Json::object({{"Rules", Json::array({out})}});
}

Json Elb::set_rule_priorities(const Call& call) {
  Json pairs = list_of(call, "RulePriorities");
  Json out = Json::array();
  change(
      [&](Model& model, Tables& tables) {
        std::set<std::string> changed;
        for (const auto& pair : pairs.as_array()) {
          auto [listener, rule] = rule_of(model, pair.get_string("RuleArn"));
          if (rule->priority == 0)
            refuse("OperationNotPermitted", "The priority of the default rule cannot be changed");
          auto priority = Input(pair, "ValidationError").integer_or("Priority", 0);
          if (priority < 1 || priority > 50'000)
            refuse("ValidationError", "Priority must be between 1 and 50000");
          rule->priority = static_cast<int>(priority);
          changed.insert(listener->arn);
        }
        for (const auto& arn : changed) {
          auto& listener = listener_of(model, arn);
          std::set<int> seen;
          for (const auto& rule : listener.rules) {
            if (!seen.insert(rule.priority).second)
              refuse("PriorityInUse",
                     "Priority '" + std::to_string(rule.priority) + "' is currently in use");
          }
          sort_rules(listener);
          tables.put("elb.listener", listener.scope, arn, to_json(listener));
        }
        for (const auto& pair : pairs.as_array())
          out.push_back(describe(*rule_of(model, pair.get_string("RuleArn")).second));
      },
      true);
  return Json::object({{"Rules", out}});
}

Json Elb::describe_listener_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("ListenerArn");
  return world_.with([&](World& world) {
    Json attributes = Json::object({{"routing.http.response.server.enabled", "true"}});
    const Json own = listener_of(world.model, wanted).attributes;
    for (const auto& [key, value] : own.as_object()) attributes[key] = value;
    return Json::object({{"Attributes", attribute_list(attributes)}});
  });
}

Json Elb::modify_listener_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("ListenerArn");
  change(
      [&](Model& model, Tables& tables) {
        auto& listener = listener_of(model, wanted);
        merge_attributes(listener.attributes, call);
        tables.put("elb.listener", listener.scope, wanted, to_json(listener));
      },
      false);
  return describe_listener_attributes(call);
}

// Listeners with certificates are refused when they are made, so there are none to list.
Json Elb::describe_listener_certificates(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("ListenerArn");
  return world_.with([&](World& world) {
    listener_of(world.model, wanted);
    return Json::object({{"Certificates", Json::array()}});
  });
}

// source ELB user guide, "Quotas for your Application Load Balancers"
Json Elb::describe_account_limits(const Call&) {
  static const std::map<std::string, int> kLimits = {
      {"application-load-balancers", 50},
      {"target-groups", 3000},
      {"targets-per-application-load-balancer", 1000},
      {"listeners-per-application-load-balancer", 50},
      {"rules-per-application-load-balancer", 100},
      {"targets-per-target-group", 1000},
      {"target-groups-per-application-load-balancer", 100},
      {"network-load-balancers", 50},
      {"listeners-per-network-load-balancer", 50},
      {"targets-per-network-load-balancer", 3000},
  };
  Json limits = Json::array();
  for (const auto& [name, most] : kLimits)
    limits.push_back(Json::object({{"Name", name}, {"Max", std::to_string(most)}}));
  return Json::object({{"Limits", limits}});
}

Json Elb::describe_capacity_reservation(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("LoadBalancerArn");
  return world_.with([&](World& world) {
    balancer_of(world.model, wanted);
    return Json::object({{"CapacityReservationState", Json::array()}});
  });
}

Json Elb::set_subnets(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("LoadBalancerArn");
  Json zones;
  change(
      [&](Model& model, Tables& tables) {
        auto& b = balancer_of(model, wanted);
        place(b, subnets_of(call), tables);
        save(tables, b);
        zones = b.given.at("Zones");
      },
      false);
  return Json::object({{"AvailabilityZones", zones}, {"IpAddressType", "ipv4"}});
}

Json Elb::set_security_groups(const Call& call) {
  Input in(call.input, "ValidationError");
  std::string wanted = in.text("LoadBalancerArn");
  auto groups = in.texts("SecurityGroups");
  Json list = Json::array();
  for (const auto& group : groups) list.push_back(group);
  change(
      [&](Model& model, Tables& tables) {
        auto& b = balancer_of(model, wanted);
        check_security_groups(groups, b.scope, tables);
        b.given["SecurityGroups"] = list;
        save(tables, b);
      },
      false);
  restrict(world_.read([&](const World& world) { return world.model.balancers.at(wanted); }));
  return Json::object({{"SecurityGroupIds", list}});
}

Json Elb::set_ip_address_type(const Call& call) {
  Input in(call.input, "ValidationError");
  std::string wanted = in.text("LoadBalancerArn");
  std::string type = in.text("IpAddressType");
  if (type != "ipv4")
    refuse("ValidationError", "slipway: load balancers with the IP address type '" + type +
                                  "' are not supported yet: only ipv4");
  return world_.with([&](World& world) {
    balancer_of(world.model, wanted);
    return Json::object({{"IpAddressType", type}});
  });
}

void Elb::set_weights(const std::string& rule_arn,
                      const std::vector<std::pair<std::string, int>>& weights) {
  Json groups = Json::array();
  for (const auto& [group, weight] : weights)
    groups.push_back(Json::object({{"TargetGroupArn", group}, {"Weight", weight}}));
  Json actions = Json::array({Json::object(
      {{"Type", "forward"}, {"ForwardConfig", Json::object({{"TargetGroups", groups}})}})});
  change(
      [&](Model& model, Tables& tables) {
        check_actions(model, actions);
        Listener* listener = nullptr;
        Rule* rule = nullptr;
        if (auto it = model.listeners.find(rule_arn); it != model.listeners.end()) {
          listener = &it->second;
          rule = &listener->rules.back();
        } else {
          std::tie(listener, rule) = rule_of(model, rule_arn);
        }
        rule->actions = actions;
        tables.put("elb.listener", listener->scope, listener->arn, to_json(*listener));
      },
      true);
}

std::vector<std::string> subnets_of(const Call& call) {
  Input in(call.input, "ValidationError");
  auto subnets = in.texts("Subnets");
  for (const auto& mapping : in.items("SubnetMappings"))
    subnets.push_back(mapping.get_string("SubnetId"));
  return subnets;
}

void place(LoadBalancer& b, const std::vector<std::string>& subnets, Tables& tables) {
  Json zones = Json::array();
  std::set<std::string> seen;
  for (const auto& id : subnets) {
    auto subnet = tables.get("ec2.subnet", b.scope, id);
    if (!subnet) refuse("SubnetNotFound", "The subnet ID '" + id + "' is not valid");
    std::string zone = subnet->get_string("availabilityZone");
    if (!seen.insert(zone).second)
      refuse(
          "InvalidConfigurationRequest",
          "A load balancer cannot be attached to multiple subnets in the same Availability Zone");
    zones.push_back(Json::object(
        {{"ZoneName", zone}, {"SubnetId", id}, {"LoadBalancerAddresses", Json::array()}}));
    b.given["VpcId"] = subnet->get_string("vpcId");
  }
  std::size_t least = b.type == "application" ? 2 : 1;
  if (seen.size() < least) {
    refuse("ValidationError",
           least == 2 ? "At least two subnets in two different Availability Zones must be specified"
                      : "At least one subnet must be specified");
  }
  b.given["Zones"] = std::move(zones);
}

void check_security_groups(const std::vector<std::string>& groups, const Scope& scope,
                           Tables& tables) {
  for (const auto& group : groups) {
    if (!tables.get("ec2.group", scope, group))
      refuse("InvalidSecurityGroup", "The security group '" + group + "' does not exist");
  }
}

}  // namespace slipway::cloud::elb
