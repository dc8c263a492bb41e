// SPDX-License-Identifier: Apache-2.0
#include "cloud/elb/model.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace slipway::cloud::elb {
namespace {

std::uint16_t port_of(const Json& json, const char* key) {
  return static_cast<std::uint16_t>(json.get_int(key));
}

Json to_json(const Rule& rule) {
  return Json::object({{"arn", rule.arn},
                       {"priority", rule.priority},
                       {"conditions", rule.conditions},
                       {"actions", rule.actions}});
}

}  // namespace

int TargetGroup::drain_seconds() const {
  auto seconds = to_integer(attributes.get_string("deregistration_delay.timeout_seconds", "300"));
  return static_cast<int>(seconds.value_or(300));
}

Json to_json(const LoadBalancer& b) {
  return Json::object({{"arn", b.arn},
                       {"name", b.name},
                       {"id", b.id},
                       {"dnsName", b.dns_name},
                       {"type", b.type},
                       {"scheme", b.scheme},
                       {"address", b.address},
                       {"netns", b.netns},
                       {"created", b.created_ms},
                       {"given", b.given},
                       {"tags", b.tags},
                       {"attributes", b.attributes}});
}

LoadBalancer balancer_from_json(const Scope& scope, const Json& json) {
  return {.scope = scope,
          .arn = json.get_string("arn"),
          .name = json.get_string("name"),
          .id = json.get_string("id"),
          .dns_name = json.get_string("dnsName"),
          .type = json.get_string("type"),
          .scheme = json.get_string("scheme"),
          .address = json.get_string("address"),
          .netns = json.get_string("netns"),
          .created_ms = json.get_int("created"),
          .given = json.at("given"),
          .tags = json.at("tags"),
          .attributes = json.at("attributes")};
}

Json to_json(const Listener& l) {
  Json rules = Json::array();
  for (const auto& rule : l.rules) rules.push_back(to_json(rule));
  return Json::object({{"arn", l.arn},
                       {"balancer", l.load_balancer_arn},
                       {"protocol", l.protocol},
                       {"port", l.port},
                       {"hostPort", l.host_port},
                       {"rules", rules},
                       {"attributes", l.attributes}});
}

Listener listener_from_json(const Scope& scope, const Json& json) {
  Listener out{.scope = scope,
               .arn = json.get_string("arn"),
               .load_balancer_arn = json.get_string("balancer"),
               .protocol = json.get_string("protocol"),
               .port = port_of(json, "port"),
               .host_port = port_of(json, "hostPort"),
               .rules = {}};
  for (const auto& rule : json.get_array("rules")) {
    out.rules.push_back({rule.get_string("arn"), static_cast<int>(rule.get_int("priority")),
                         rule.at("conditions"), rule.at("actions")});
  }
  if (const Json* attributes = json.find("attributes")) out.attributes = *attributes;
  return out;
}

Json to_json(const TargetGroup& g) {
  return Json::object({{"arn", g.arn},
                       {"name", g.name},
                       {"id", g.id},
                       {"protocol", g.protocol},
                       {"port", g.port},
                       {"targetType", g.target_type},
                       {"vpc", g.vpc},
                       {"checkProtocol", g.check_protocol},
                       {"checkPath", g.check_path},
                       {"checkPort", g.check_port},
                       {"interval", g.interval_s},
                       {"timeout", g.timeout_s},
                       {"healthy", g.healthy_threshold},
                       {"unhealthy", g.unhealthy_threshold},
                       {"matcher", g.matcher},
                       {"tags", g.tags},
                       {"attributes", g.attributes}});
}

TargetGroup group_from_json(const Scope& scope, const Json& json) {
  auto number = [&](const char* key) { return static_cast<int>(json.get_int(key)); };
  return {.scope = scope,
          .arn = json.get_string("arn"),
          .name = json.get_string("name"),
          .id = json.get_string("id"),
          .protocol = json.get_string("protocol"),
          .port = port_of(json, "port"),
          .target_type = json.get_string("targetType"),
          .vpc = json.get_string("vpc"),
          .check_protocol = json.get_string("checkProtocol"),
          .check_path = json.get_string("checkPath"),
          .check_port = json.get_string("checkPort"),
          .interval_s = number("interval"),
          .timeout_s = number("timeout"),
          .healthy_threshold = number("healthy"),
          .unhealthy_threshold = number("unhealthy"),
          .matcher = json.get_string("matcher"),
          .tags = json.at("tags"),
          .attributes = json.at("attributes")};
}

Json to_json(const Target& t) {
  return Json::object({{"group", t.group_arn},
                       {"address", t.address},
                       {"port", t.port},
                       {"state", t.state},
                       {"reason", t.reason},
                       {"description", t.description},
                       {"added", t.added_ms}});
}

Target target_from_json(const Json& json) {
  return {.group_arn = json.get_string("group"),
          .address = json.get_string("address"),
          .port = port_of(json, "port"),
          .state = json.get_string("state"),
          .reason = json.get_string("reason"),
          .description = json.get_string("description"),
          .added_ms = json.get_int("added")};
}

bool matches_status(const std::string& matcher, int status) {
  for (const auto& part : split(matcher, ',')) {
    auto dash = part.find('-');
    auto from = to_integer(trim(part.substr(0, dash)));
    auto to = dash == std::string::npos ? from : to_integer(trim(part.substr(dash + 1)));
    if (from && to && status >= *from && status <= *to) return true;
  }
  return false;
}

bool is_served(const Model& model, const Target& target) {
  if (target.state != "unhealthy") return target.state == "healthy";
  return std::none_of(model.targets.begin(), model.targets.end(), [&](const auto& entry) {
    return entry.second.group_arn == target.group_arn && entry.second.state == "healthy";
  });
}

}  // namespace slipway::cloud::elb
