// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cloud/ec2/security_groups.hpp"
#include "cloud/elb/api.hpp"
#include "cloud/names.hpp"
#include "container/network.hpp"

namespace slipway::cloud::elb {
namespace {

// The tag that gives an internal load balancer a private name of its own, which on AWS is a record in a private hosted zone.
constexpr std::string_view kNameTag = "slipway:dns-name";

Json describe(const LoadBalancer& b) {
  Json zones = b.given.contains("Zones") ? b.given.at("Zones") : Json::array();
  Json out = Json::object(
      {{"LoadBalancerArn", b.arn},
       {"DNSName", b.dns_name},
       {"CanonicalHostedZoneId", "Z35SXDOTRQ7X7K"},
       {"CreatedTime", formats::iso8601_millis(Time(std::chrono::milliseconds(b.created_ms)))},
       {"LoadBalancerName", b.name},
       {"Scheme", b.scheme},
       {"VpcId", b.given.get_string("VpcId")},
       {"State", Json::object({{"Code", "active"}})},
       {"Type", b.type},
       {"AvailabilityZones", zones},
       {"SecurityGroups",
        b.given.contains("SecurityGroups") ? b.given.at("SecurityGroups") : Json::array()},
       {"IpAddressType", "ipv4"}});
  return out;
}

std::string private_name(const LoadBalancer& b) {
  for (const auto& tag : b.tags.as_array()) {
    if (tag.get_string("Key") == kNameTag) return tag.get_string("Value");
  }
  return "";
}

void name_it(Names& names, const LoadBalancer& b) {
  if (b.address.empty()) return;
  names.set(b.dns_name, b.address);
  if (auto own = private_name(b); !own.empty()) names.set(own, b.address);
}

}  // namespace

Json Elb::create_load_balancer(const Call& call) {
  Input in(call.input, "ValidationError");
  LoadBalancer b;
  b.scope = scope_of(call);
  b.name = in.text("Name");
  bool ok = b.name.size() <= 32 && b.name.front() != '-' && b.name.back() != '-' &&
            std::all_of(b.name.begin(), b.name.end(), [](char c) {
              return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
            });
  if (!ok)
    refuse("ValidationError", "The load balancer name '" + b.name +
                                  "' cannot be longer than '32' characters and can only contain "
                                  "characters that are alphanumeric characters and hyphens(-)");
  b.type = in.text_or("Type", "application");
  if (b.type != "application" && b.type != "network")
    refuse("ValidationError",
           "slipway: load balancers of type '" + b.type + "' are not supported yet");
  b.scheme = in.text_or("Scheme", "internet-facing");
  b.id = new_id();
  b.arn =
      arn("elasticloadbalancing", b.scope.region, b.scope.account,
          fmt::format("loadbalancer/{}/{}/{}", b.type == "network" ? "net" : "app", b.name, b.id));
  std::string number = std::to_string(std::stoull(b.id.substr(0, 8), nullptr, 16));
  b.dns_name =
      fmt::format("{}{}-{}.{}.elb.amazonaws.com", b.scheme == "internal" ? "internal-" : "", b.name,
                  number, b.scope.region);
  b.created_ms = call.now.time_since_epoch().count();
  b.given["SecurityGroups"] = list_of(call, "SecurityGroups");
  around_.state.read([&](Tables& tables) {
    place(b, subnets_of(call), tables);
    check_security_groups(in.texts("SecurityGroups"), b.scope, tables);
    return 0;
  });
  b.tags = list_of(call, "Tags");
  auto present = world_.read([&](const World& world) -> std::optional<LoadBalancer> {
    for (const auto& [key, other] : world.model.balancers) {
      if (other.scope == b.scope && other.name == b.name) return other;
    }
    return std::nullopt;
  });
  if (present) {
    if (present->type != b.type || present->scheme != b.scheme) {
      refuse("DuplicateLoadBalancerName", "A load balancer with the same name '" + b.name +
                                              "' exists, but with different settings");
    }
    return Json::object({{"LoadBalancers", Json::array({describe(*present)})}});
  }
  if (auto* network = around_.options.network) {
    auto endpoint = network->attach("elb-" + b.id);
    b.address = endpoint.address;
    b.netns = endpoint.netns.filename().string();
  }
  change(
      [&](Model& model, Tables& tables) {
        model.balancers[b.arn] = b;
        tables.put("elb.lb", b.scope, b.name, to_json(b));
      },
      false);
  name_it(around_.names, b);
  restrict(b);
  return Json::object({{"LoadBalancers", Json::array({describe(b)})}});
}

// A network load balancer without groups lets everything through.
void Elb::restrict(const LoadBalancer& b) {
  ec2::Interface interface { .scope = b.scope, .groups = {}, .subnet = "", .is_balancer = true };
  for (const auto& group : b.given.get_array("SecurityGroups"))
    interface.groups.push_back(group.as_string());
  for (const auto& zone : b.given.get_array("Zones"))
    interface.subnet = zone.get_string("SubnetId");
  if (b.address.empty() || (b.type == "network" && interface.groups.empty())) return;
  around_.security.join(b.address, interface);
}

Json Elb::describe_load_balancers(const Call& call) {
  Input in(call.input, "ValidationError");
  auto names = in.texts("Names");
  auto arns = in.texts("LoadBalancerArns");
  Scope scope = scope_of(call);
  return world_.read([&](const World& world) {
    Json out = Json::array();
    for (const auto& [key, b] : world.model.balancers) {
      if (b.scope != scope) continue;
      bool wanted = (names.empty() && arns.empty()) ||
                    std::find(names.begin(), names.end(), b.name) != names.end() ||
                    std::find(arns.begin(), arns.end(), b.arn) != arns.end();
      if (wanted) out.push_back(describe(b));
    }
    if (out.size() < names.size() + arns.size()) {
      std::string missing = names.empty() ? "One or more load balancers not found"
                                          : "Load balancers '[" + names.front() + "]' not found";
      refuse("LoadBalancerNotFound", missing);
    }
    return Json::object({{"LoadBalancers", out}});
  });
}

Json Elb::delete_load_balancer(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("LoadBalancerArn");
  std::optional<LoadBalancer> gone;
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.balancers.find(wanted);
        if (it == model.balancers.end()) return;  // deleting twice is fine
        gone = it->second;
        std::erase_if(model.listeners, [&](const auto& entry) {
          if (entry.second.load_balancer_arn != wanted) return false;
          tables.erase("elb.listener", entry.second.scope, entry.second.arn);
          return true;
        });
        tables.erase("elb.lb", gone->scope, gone->name);
        model.balancers.erase(it);
      },
      true);
  if (gone) {
    around_.security.leave(gone->address);
    around_.names.erase(gone->dns_name);
    if (auto own = private_name(*gone); !own.empty()) around_.names.erase(own);
    if (around_.options.network) around_.options.network->release("elb-" + gone->id);
  }
  return Json::object();
}

Json Elb::describe_load_balancer_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("LoadBalancerArn");
  return world_.read([&](const World& world) {
    auto it = world.model.balancers.find(wanted);
    if (it == world.model.balancers.end())
      refuse("LoadBalancerNotFound", "One or more load balancers not found");
    return Json::object({{"Attributes", attribute_list(it->second.attributes)}});
  });
}

Json Elb::modify_load_balancer_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("LoadBalancerArn");
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.balancers.find(wanted);
        if (it == model.balancers.end())
          refuse("LoadBalancerNotFound", "One or more load balancers not found");
        merge_attributes(it->second.attributes, call);
        tables.put("elb.lb", it->second.scope, it->second.name, to_json(it->second));
        out = attribute_list(it->second.attributes);
      },
      false);
  return Json::object({{"Attributes", out}});
}

namespace {

void save_tagged(Model& model, Tables& tables, const std::string& arn) {
  if (auto it = model.balancers.find(arn); it != model.balancers.end())
    tables.put("elb.lb", it->second.scope, it->second.name, to_json(it->second));
  if (auto it = model.groups.find(arn); it != model.groups.end())
    tables.put("elb.tg", it->second.scope, it->second.name, to_json(it->second));
}

}  // namespace

Json Elb::add_tags(const Call& call) {
  auto arns = Input(call.input, "ValidationError").texts("ResourceArns");
  Json add = list_of(call, "Tags");
  change(
      [&](Model& model, Tables& tables) {
        for (const auto& resource : arns) {
          Json& tags = tags_of(model, resource);
          for (const auto& tag : add.as_array()) {
            auto& list = tags.as_array();
            std::erase_if(list, [&](const Json& old) {
              return old.get_string("Key") == tag.get_string("Key");
            });
            list.push_back(tag);
          }
          save_tagged(model, tables, resource);
        }
      },
      false);
  world_.read([&](const World& world) {
    for (const auto& [key, b] : world.model.balancers) name_it(around_.names, b);
    return 0;
  });
  return Json::object();
}

Json Elb::remove_tags(const Call& call) {
  Input in(call.input, "ValidationError");
  auto keys = in.texts("TagKeys");
  change(
      [&](Model& model, Tables& tables) {
        for (const auto& resource : in.texts("ResourceArns")) {
          std::erase_if(tags_of(model, resource).as_array(), [&](const Json& tag) {
            return std::find(keys.begin(), keys.end(), tag.get_string("Key")) != keys.end();
          });
          save_tagged(model, tables, resource);
        }
      },
      false);
  return Json::object();
}

Json Elb::describe_tags(const Call& call) {
  auto arns = Input(call.input, "ValidationError").texts("ResourceArns");
  return world_.with([&](World& world) {
    Json out = Json::array();
    for (const auto& resource : arns) {
      out.push_back(
          Json::object({{"ResourceArn", resource}, {"Tags", tags_of(world.model, resource)}}));
    }
    return Json::object({{"TagDescriptions", out}});
  });
}

}  // namespace slipway::cloud::elb
