// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cloud/elb/api.hpp"

namespace slipway::cloud::elb {
namespace {

Json describe(const Model& model, const TargetGroup& g) {
  Json balancers = Json::array();
  for (const auto& [arn, listener] : model.listeners) {
    for (const auto& rule : listener.rules) {
      if (rule.actions.dump().find(g.arn) == std::string::npos) continue;
      const auto& list = balancers.as_array();
      if (std::find(list.begin(), list.end(), Json(listener.load_balancer_arn)) == list.end())
        balancers.push_back(listener.load_balancer_arn);
    }
  }
  Json out = Json::object({{"TargetGroupArn", g.arn},
                           {"TargetGroupName", g.name},
                           {"Protocol", g.protocol},
                           {"Port", g.port},
                           {"VpcId", g.vpc},
                           {"HealthCheckProtocol", g.check_protocol},
                           {"HealthCheckPort", g.check_port},
                           {"HealthCheckEnabled", true},
                           {"HealthCheckIntervalSeconds", g.interval_s},
                           {"HealthCheckTimeoutSeconds", g.timeout_s},
                           {"HealthyThresholdCount", g.healthy_threshold},
                           {"UnhealthyThresholdCount", g.unhealthy_threshold},
                           {"LoadBalancerArns", balancers},
                           {"TargetType", g.target_type},
                           {"IpAddressType", "ipv4"}});
  if (g.protocol != "TCP") {
    out["HealthCheckPath"] = g.check_path;
    out["Matcher"] = Json::object({{"HttpCode", g.matcher}});
    out["ProtocolVersion"] = "HTTP1";
  }
  return out;
}

int within(std::int64_t value, int from, int to, const char* what) {
  if (value < from || value > to)
    refuse("ValidationError", fmt::format("{} must be between {} and {}", what, from, to));
  return static_cast<int>(value);
}

void read_health(TargetGroup& g, const Call& call) {
  Input in(call.input, "ValidationError");
  g.check_protocol = in.text_or("HealthCheckProtocol", g.check_protocol);
  g.check_path = in.text_or("HealthCheckPath", g.check_path);
  g.check_port = in.text_or("HealthCheckPort", g.check_port);
  g.interval_s = within(in.integer_or("HealthCheckIntervalSeconds", g.interval_s), 5, 300,
                        "Health check interval");
  g.timeout_s = within(in.integer_or("HealthCheckTimeoutSeconds", g.timeout_s), 2, 120,
                       "Health check timeout");
  g.healthy_threshold = within(in.integer_or("HealthyThresholdCount", g.healthy_threshold), 2, 10,
                               "Healthy threshold count");
  g.unhealthy_threshold = within(in.integer_or("UnhealthyThresholdCount", g.unhealthy_threshold), 2,
                                 10, "Unhealthy threshold count");
  if (const Json* matcher = call.input.find("Matcher"))
    g.matcher = matcher->get_string("HttpCode", g.matcher);
  if (g.check_path.empty() || g.check_path.front() != '/')
    refuse("ValidationError",
           "Health check path '" + g.check_path + "' must begin with a '/' character");
}

TargetGroup& group_of(Model& model, const std::string& arn) {
  auto it = model.groups.find(arn);
  if (it == model.groups.end())
    refuse("TargetGroupNotFound", "One or more target groups not found");
  return it->second;
}

std::uint16_t port_of(const Json& target, const TargetGroup& group) {
  const Json* port = target.find("Port");
  if (!port) return group.port;
  return static_cast<std::uint16_t>(port->is_string() ? std::stoi(port->as_string())
                                                      : static_cast<int>(port->as_int()));
}

}  // namespace

Json Elb::create_target_group(const Call& call) {
  Input in(call.input, "ValidationError");
  TargetGroup g;
  g.scope = scope_of(call);
  g.name = in.text("Name");
  if (g.name.size() > 32)
    refuse("ValidationError",
           "Target group name '" + g.name + "' cannot be longer than '32' characters");
  g.protocol = in.text_or("Protocol", "HTTP");
  if (g.protocol != "HTTP" && g.protocol != "TCP")
    refuse("UnsupportedProtocol",
           "slipway: target groups with the protocol '" + g.protocol + "' are not supported yet");
  g.port = static_cast<std::uint16_t>(within(in.integer_or("Port", 80), 1, 65535, "Port"));
  g.vpc = in.text_or("VpcId");
  g.target_type = in.text_or("TargetType", "instance");
  if (g.target_type != "ip")
    refuse("ValidationError", "slipway: target groups of type '" + g.target_type +
                                  "' are not supported yet: awsvpc tasks need 'ip'");
  if (g.protocol == "TCP") g.check_protocol = "TCP";
  read_health(g, call);
  g.tags = list_of(call, "Tags");
  g.id = new_id();
  g.arn = arn("elasticloadbalancing", g.scope.region, g.scope.account,
              fmt::format("targetgroup/{}/{}", g.name, g.id));
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        for (const auto& [key, other] : model.groups) {
          if (other.scope != g.scope || other.name != g.name) continue;
          if (other.port != g.port || other.protocol != g.protocol)
            refuse("DuplicateTargetGroupName", "A target group with the same name '" + g.name +
                                                   "' exists, but with different settings");
          out = describe(model, other);  // the same once more
          return;
        }
        model.groups[g.arn] = g;
        tables.put("elb.tg", g.scope, g.name, to_json(g));
        out = describe(model, g);
      },
      true);
  return Json::object({{"TargetGroups", Json::array({out})}});
}

Json Elb::describe_target_groups(const Call& call) {
  Input in(call.input, "ValidationError");
  auto names = in.texts("Names");
  auto arns = in.texts("TargetGroupArns");
  std::string balancer = in.text_or("LoadBalancerArn");
  Scope scope = scope_of(call);
  return world_.read([&](const World& world) {
    Json out = Json::array();
    for (const auto& [key, g] : world.model.groups) {
      if (g.scope != scope) continue;
      Json item = describe(world.model, g);
      bool all = names.empty() && arns.empty() && balancer.empty();
      const auto& list = item.get_array("LoadBalancerArns");
      bool wanted =
          all || std::find(names.begin(), names.end(), g.name) != names.end() ||
          std::find(arns.begin(), arns.end(), g.arn) != arns.end() ||
          (!balancer.empty() && std::find(list.begin(), list.end(), Json(balancer)) != list.end());
      if (wanted) out.push_back(std::move(item));
    }
    if (out.size() < names.size() + arns.size())
      refuse("TargetGroupNotFound", "One or more target groups not found");
    return Json::object({{"TargetGroups", out}});
  });
}

Json Elb::modify_target_group(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        auto& g = group_of(model, wanted);
        read_health(g, call);
        tables.put("elb.tg", g.scope, g.name, to_json(g));
        out = describe(model, g);
      },
      false);
  return Json::object({{"TargetGroups", Json::array({out})}});
}

Json Elb::delete_target_group(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.groups.find(wanted);
        if (it == model.groups.end()) return;
        if (!describe(model, it->second).get_array("LoadBalancerArns").empty()) {
          refuse("ResourceInUse",
                 "Target group '" + wanted + "' is currently in use by a listener or a rule");
        }
        std::erase_if(model.targets, [&](const auto& entry) {
          if (entry.second.group_arn != wanted) return false;
          tables.erase("elb.target", it->second.scope, entry.first);
          return true;
        });
        tables.erase("elb.tg", it->second.scope, it->second.name);
        model.groups.erase(it);
      },
      true);
  return Json::object();
}

Json Elb::describe_target_group_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  return world_.with([&](World& world) {
    Json attributes = Json::object({{"deregistration_delay.timeout_seconds", "300"},
                                    {"stickiness.enabled", "false"},
                                    {"stickiness.type", "lb_cookie"},
                                    {"load_balancing.algorithm.type", "round_robin"},
                                    {"slow_start.duration_seconds", "0"}});
    const Json own = group_of(world.model, wanted).attributes;
    for (const auto& [key, value] : own.as_object()) attributes[key] = value;
    return Json::object({{"Attributes", attribute_list(attributes)}});
  });
}

Json Elb::modify_target_group_attributes(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        auto& g = group_of(model, wanted);
        merge_attributes(g.attributes, call);
        tables.put("elb.tg", g.scope, g.name, to_json(g));
        out = attribute_list(g.attributes);
      },
      false);
  return Json::object({{"Attributes", out}});
}

Json Elb::register_targets(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  auto group = world_.with([&](World& world) { return group_of(world.model, wanted); });
  for (Json list = list_of(call, "Targets"); const auto& target : list.as_array())
    add(wanted, target.get_string("Id"), port_of(target, group));
  return Json::object();
}

Json Elb::deregister_targets(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  auto group = world_.with([&](World& world) { return group_of(world.model, wanted); });
  for (Json list = list_of(call, "Targets"); const auto& target : list.as_array()) {
    std::string key =
        Target{
            .group_arn = wanted, .address = target.get_string("Id"), .port = port_of(target, group)}
            .key();
    world_.with([&](World& world) {
      auto it = world.model.targets.find(key);
      if (it == world.model.targets.end() || it->second.state == "draining") return;
      it->second.state = "draining";
      world.to_drain.push_back(it->second);
      ++world.version;
    });
  }
  return Json::object();
}

Json Elb::describe_target_health(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("TargetGroupArn");
  return world_.with([&](World& world) {
    auto& group = group_of(world.model, wanted);
    Json out = Json::array();
    for (const auto& [key, t] : world.model.targets) {
      if (t.group_arn != wanted) continue;
      Json health = Json::object({{"State", t.state}});
      if (t.state != "healthy") {
        health["Reason"] = t.state == "draining" ? "Target.DeregistrationInProgress" : t.reason;
        health["Description"] =
            t.state == "draining" ? "Target deregistration is in progress" : t.description;
      }
      out.push_back(Json::object(
          {{"Target", Json::object({{"Id", t.address},
                                    {"Port", t.port},
                                    {"AvailabilityZone", group.scope.region + "a"}})},
           {"HealthCheckPort",
            group.check_port == "traffic-port" ? std::to_string(t.port) : group.check_port},
           {"TargetHealth", health}}));
    }
    return Json::object({{"TargetHealthDescriptions", out}});
  });
}

}  // namespace slipway::cloud::elb
