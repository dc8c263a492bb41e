// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::iam {

/// Why a principal may or may not do something.
struct Decision {
  bool is_allowed = false;
  bool is_explicit_deny = false;
  std::string
      reason;  ///< the policy (and statement) that decided, or "no identity-based policy allows the ecs:RunTask action"
};

/// Decides by the identity policies (inline, attached, permissions boundary, session policy) whether a principal may act.
///   threads  any
class Authoriser final {
 public:
  explicit Authoriser(State& state) : state_(state) {}
  /// `context` holds global and service condition keys ("aws:SourceIp", "ecs:cluster").
  [[nodiscard]] Decision decide(const Principal& caller, const Permission& permission,
                                const Call& call) const;
  /// The same for the roles that tasks run under, without a call: `role_arn` as named by a task definition.
  [[nodiscard]] Decision decide_for_role(const std::string& role_arn, const std::string& action,
                                         const std::string& resource,
                                         const std::string& region) const;
  /// True when the role exists and its trust policy lets `service` ("ecs-tasks.amazonaws.com") assume it.
  [[nodiscard]] bool trusts_service(const std::string& role_arn, const std::string& service) const;
  /// throws Refusal AccessDeniedException (AccessDenied, UnauthorizedOperation by protocol) with AWS's words.
  void require(const Permission& permission, const Call& call, Protocol protocol) const;

 private:
  State& state_;
};

/// The role's name from its ARN, without path; empty when it is not a role's ARN.
std::string role_name_of(const std::string& role_arn);

}  // namespace slipway::cloud::iam
