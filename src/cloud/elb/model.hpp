// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cloud/state.hpp"
#include "formats/json.hpp"

namespace slipway::cloud::elb {

using formats::Json;

struct LoadBalancer {
  Scope scope;
  std::string arn;
  std::string name;
  std::string id;  ///< 16 hexadecimal digits, the ARN's last part
  std::string dns_name;
  std::string type = "application";
  std::string scheme = "internet-facing";
  std::string address;  ///< in the task network; empty without one
  std::string netns;    ///< the network namespace that has the address, by name; empty without one
  std::int64_t created_ms = 0;
  Json given = Json::object();  ///< Subnets, SecurityGroups and so on, as given
  Json tags = Json::array();
  Json attributes = Json::object();
};

struct Rule {
  std::string arn;
  int priority = 0;  ///< 0: the default rule
  Json conditions = Json::array();
  Json actions = Json::array();
};

struct Listener {
  Scope scope;
  std::string arn;
  std::string load_balancer_arn;
  std::string protocol = "HTTP";
  std::uint16_t port = 80;
  std::uint16_t host_port = 0;  ///< on 127.0.0.1, where the host's own clients reach it
  std::vector<Rule> rules;      ///< by priority; the default rule last
  Json attributes = Json::object();
};

struct TargetGroup {
  Scope scope;
  std::string arn;
  std::string name;
  std::string id;  ///< the ARN's last part
  std::string protocol = "HTTP";
  std::uint16_t port = 80;
  std::string target_type = "ip";
  std::string vpc;
  std::string check_protocol = "HTTP";
  std::string check_path = "/";
  std::string check_port = "traffic-port";
  int interval_s = 30;
  int timeout_s = 5;
  int healthy_threshold = 5;
  int unhealthy_threshold = 2;
  std::string matcher = "200";
  Json tags = Json::array();
  Json attributes = Json::object();

  /// deregistration_delay.timeout_seconds.
  [[nodiscard]] int drain_seconds() const;
};

struct Target {
  std::string group_arn;
  std::string address;
  std::uint16_t port = 0;
  std::string state = "initial";  ///< initial, healthy, unhealthy, draining
  std::string reason = "Elb.RegistrationInProgress";
  std::string description = "Target registration is in progress";
  int good = 0;  ///< checks in a row that passed
  int bad = 0;
  std::int64_t added_ms = 0;
  std::int64_t next_check_ms = 0;
  bool is_checking = false;

  [[nodiscard]] std::string key() const {
    return group_arn + "|" + address + ":" + std::to_string(port);
  }
};

/// All of the load balancers; maps by ARN (targets by key).
struct Model {
  std::map<std::string, LoadBalancer> balancers;
  std::map<std::string, Listener> listeners;
  std::map<std::string, TargetGroup> groups;
  std::map<std::string, Target> targets;
};

/// Whether a target gets requests: healthy ones do; a group without any sends them to its unhealthy ones ("fail open").
///   source  Elastic Load Balancing, "Health checks for Application Load Balancer target groups"
bool is_served(const Model& model, const Target& target);

Json to_json(const LoadBalancer& balancer);
LoadBalancer balancer_from_json(const Scope& scope, const Json& json);
Json to_json(const Listener& listener);
Listener listener_from_json(const Scope& scope, const Json& json);
Json to_json(const TargetGroup& group);
TargetGroup group_from_json(const Scope& scope, const Json& json);
Json to_json(const Target& target);
Target target_from_json(const Json& json);

/// True when an HTTP status is in a matcher such as "200", "200-299", "200,301".
bool matches_status(const std::string& matcher, int status);

/// HAProxy's names for the parts of a model.
std::string backend_name(const TargetGroup& group);
std::string server_name(const Target& target);

/// A server of a backend as HAProxy has it.
struct ShownServer {
  std::string address;    ///< "10.0.0.5:8000"
  bool is_ready = false;  ///< gets requests
  bool operator==(const ShownServer&) const = default;
};
/// "BACKEND/SERVER" -> the servers that HAProxy has for a model: every target but those that drain.
std::map<std::string, ShownServer> wanted_servers(const Model& model);

/// The whole HAProxy configuration for a model. Targets that are healthy take requests at once, others wait for their health check.
///   socket  the runtime socket's path
///   source  HAProxy 2.6 configuration manual; ELB user guide, "Listener rules"
std::string haproxy_config(const Model& model, const std::string& socket);

}  // namespace slipway::cloud::elb
