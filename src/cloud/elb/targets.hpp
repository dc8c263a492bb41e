// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cloud/state.hpp"

namespace slipway::cloud::elb {

/// How a target group sees one target.
struct TargetHealth {
  std::string state;   ///< initial, healthy, unhealthy, draining, unused
  std::string reason;  ///< "Target.ResponseCodeMismatch"; empty when healthy
  std::string description;
  bool operator==(const TargetHealth&) const = default;
};

/// The target groups as the ECS scheduler uses them.
///   threads  any
class Targets {
 public:
  Targets() = default;
  Targets(const Targets&) = delete;
  Targets& operator=(const Targets&) = delete;
  virtual ~Targets() = default;

  [[nodiscard]] virtual bool exists(const std::string& target_group_arn) = 0;
  /// A target group's ARN by its name; nothing when there is none.
  [[nodiscard]] virtual std::optional<std::string> group_named(const Scope& scope,
                                                               const std::string& name) = 0;
  /// Adds a target; it gets requests once its first health checks pass. Again for a known one: nothing happens.
  virtual void add(const std::string& target_group_arn, const std::string& address,
                   std::uint16_t port) = 0;
  /// Takes a target out: no new requests from now on; it leaves when its open ones have ended, or after the group's
  /// deregistration delay. Blocks until then or until `stop`.
  virtual void drain(const std::string& target_group_arn, const std::string& address,
                     std::uint16_t port, const std::stop_token& stop) = 0;
  [[nodiscard]] virtual TargetHealth health(const std::string& target_group_arn,
                                            const std::string& address, std::uint16_t port) = 0;
  /// Makes a listener rule (or a listener's default rule) share its requests between target groups by weights of 0 to 999.
  ///   throws  Refusal when there is no such rule or target group
  virtual void set_weights(const std::string& rule_arn,
                           const std::vector<std::pair<std::string, int>>& weights) = 0;
  /// Called (from any thread, no lock held) whenever a target's health changes. Set once, before the services run.
  virtual void on_change(std::function<void()> listener) = 0;
};

}  // namespace slipway::cloud::elb
