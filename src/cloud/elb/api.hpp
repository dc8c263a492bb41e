// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <mutex>
#include <set>

#include "base/guarded.hpp"
#include "cloud/elb/elb.hpp"
#include "cloud/elb/haproxy.hpp"
#include "cloud/elb/model.hpp"
#include "cloud/input.hpp"
#include "net/http_client.hpp"

namespace slipway::cloud::elb {

/// The operations over the model, the target groups' health, and the HAProxy that follows both.
class Elb final : public LoadBalancing, private Targets {
 public:
  explicit Elb(const Surroundings& around);
  [[nodiscard]] const ServiceDescription& description() const override;
  [[nodiscard]] bool has(std::string_view operation) const override;
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override;
  void run(std::stop_token stop) override;
  [[nodiscard]] Targets& targets() override { return *this; }

 private:
  static const Operations<Elb>& operations();

  // balancers.cpp
  Json create_load_balancer(const Call& call);
  Json describe_load_balancers(const Call& call);
  Json delete_load_balancer(const Call& call);
  Json describe_load_balancer_attributes(const Call& call);
  Json modify_load_balancer_attributes(const Call& call);
  Json add_tags(const Call& call);
  Json remove_tags(const Call& call);
  Json describe_tags(const Call& call);
  /// Puts its security groups in force.
  void restrict(const LoadBalancer& balancer);
  // listeners.cpp
  Json create_listener(const Call& call);
  Json describe_listeners(const Call& call);
  Json modify_listener(const Call& call);
  Json delete_listener(const Call& call);
  Json create_rule(const Call& call);
  Json describe_rules(const Call& call);
  Json delete_rule(const Call& call);
  // settings.cpp
  Json modify_rule(const Call& call);
  Json set_rule_priorities(const Call& call);
  Json describe_listener_attributes(const Call& call);
  Json modify_listener_attributes(const Call& call);
  Json describe_listener_certificates(const Call& call);
  Json describe_account_limits(const Call& call);
  Json describe_capacity_reservation(const Call& call);
  Json set_subnets(const Call& call);
  Json set_security_groups(const Call& call);
  Json set_ip_address_type(const Call& call);
  // groups.cpp
  Json create_target_group(const Call& call);
  Json describe_target_groups(const Call& call);
  Json modify_target_group(const Call& call);
  Json delete_target_group(const Call& call);
  Json describe_target_group_attributes(const Call& call);
  Json modify_target_group_attributes(const Call& call);
  Json register_targets(const Call& call);
  Json deregister_targets(const Call& call);
  Json describe_target_health(const Call& call);

  // The ECS side (targets.cpp).
  bool exists(const std::string& target_group_arn) override;
  std::optional<std::string> group_named(const Scope& scope, const std::string& name) override;
  void add(const std::string& target_group_arn, const std::string& address,
           std::uint16_t port) override;
  void drain(const std::string& target_group_arn, const std::string& address, std::uint16_t port,
             const std::stop_token& stop) override;
  TargetHealth health(const std::string& target_group_arn, const std::string& address,
                      std::uint16_t port) override;
  void set_weights(const std::string& rule_arn,
                   const std::vector<std::pair<std::string, int>>& weights) override;
  void on_change(std::function<void()> listener) override;

  struct World {
    Model model;
    std::uint64_t version = 0;
    std::function<void()> listener;
    bool has_ended = false;        ///< run() is over: HAProxy stays away
    std::vector<Target> to_drain;  ///< deregistered through the API; run() sees to them
  };
  /// Changes the model and writes the records that `use` names; then HAProxy follows when `reconfigure`.
  ///   throws  Error{unavailable} when HAProxy does not: then the change was taken back
  void change(const std::function<void(Model&, Tables&)>& use, bool reconfigure);
  void take_back(const Model& before, const Model& after);
  /// The same for what health and draining change, in place: `use` must not refuse once it has changed something.
  void note(const std::function<void(Model&, Tables&)>& use);
  // follow.cpp: HAProxy follows the model
  /// Gives HAProxy a configuration for the model as it is; nothing happens when it runs with that one.
  void configure();
  /// Adds, opens, closes and deletes servers until HAProxy has those of the model; what still has requests is deleted later.
  void show_targets();
  /// Whether HAProxy, or a worker of before its last reload, may still have requests for a server that is leaving.
  bool is_carrying(const std::string& server);
  void end_requests(const std::string& server);
  /// Until HAProxy carries nothing for it any more, or `stop`, or the deadline.
  void wait_until_idle(const std::string& server, const std::stop_token& stop, Deadline deadline);
  void configure_in_turn(bool anew);
  void follow_in_turn(const Model& model);
  bool retire(const std::string& name, ShownServer& server);
  std::string tell_haproxy(const std::string& command);
  void check(Target target, const TargetGroup& group);
  void apply_check(const Target& target, const TargetGroup& group, bool passed,
                   const std::string& reason, const std::string& text);
  /// Puts what HAProxy has counted into CloudWatch, until `stop`.
  void meter(const std::stop_token& stop);
  void tell();
  std::uint16_t free_host_port(const Model& model, std::uint16_t wanted);
  /// The tags of any of our resources. throws Refusal when there is none with this ARN.
  static Json& tags_of(Model& model, const std::string& arn);

  Surroundings around_;
  Haproxy haproxy_;
  std::mutex haproxy_turn_;                   ///< taken before world_, never while it is held
  std::map<std::string, ShownServer> shown_;  ///< what HAProxy was told; guarded by haproxy_turn_
  Guarded<World> world_;
  net::HttpClient checker_;  ///< asks the targets
};

/// 16 hexadecimal digits.
std::string new_id();
/// [{Key, Value}, …] as a list input; empty when absent.
Json list_of(const Call& call, const char* key);
/// Attributes as the API lists them, from a map.
Json attribute_list(const Json& attributes);
void merge_attributes(Json& attributes, const Call& call);
/// A rule as the API shows it.
Json describe(const Rule& rule);
/// throws Refusal when an action is of a type that is not known, or forwards to a target group that does not exist
void check_actions(const Model& model, const Json& actions);
/// By priority, the default rule last.
void sort_rules(Listener& listener);
/// Subnets and SubnetMappings of a call.
std::vector<std::string> subnets_of(const Call& call);
/// Puts a load balancer into subnets. throws Refusal SubnetNotFound, InvalidConfigurationRequest, ValidationError
void place(LoadBalancer& balancer, const std::vector<std::string>& subnets, Tables& tables);
/// throws Refusal InvalidSecurityGroup
void check_security_groups(const std::vector<std::string>& groups, const Scope& scope,
                           Tables& tables);

}  // namespace slipway::cloud::elb
