// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cloud/service.hpp"

namespace slipway::cloud::sts {

/// An OIDC provider of an account: what IAM keeps of it.
struct OidcProvider {
  std::string arn;
  std::string url;  ///< with https://
  std::vector<std::string> client_ids;
};

/// A role as far as assuming goes.
struct AssumableRole {
  std::string arn;
  std::string trust_policy;
  std::chrono::seconds max_session = std::chrono::hours(1);
};

/// What AssumeRoleWithWebIdentity asks for, as strings came in.
struct WebIdentityRequest {
  std::string role_arn;
  std::string session_name;
  std::string token;
  std::optional<std::int64_t> duration_seconds;
  std::string policy;
  std::vector<std::string> policy_arns;
};

/// The world the decision is made in; everything is looked up through it.
struct WebIdentityWorld {
  std::string account;  ///< of the role
  std::function<std::optional<OidcProvider>(const std::string& issuer)> provider;
  std::function<std::optional<AssumableRole>(const std::string& arn)> role;
  /// The issuer's key set; nothing when it cannot be had.
  std::function<std::optional<Json>(const std::string& issuer)> key_set;
  Time now{};
};

struct Granted {
  std::string role_arn;
  std::string subject;
  std::string audience;
  std::string provider;  ///< ARN
  std::chrono::seconds duration{};
};
struct Refused {
  Refusal refusal;
  std::string explanation;  ///< for people: which claim, which condition; never sent to the caller
};

/// Decides one AssumeRoleWithWebIdentity in AWS's order: parameters, provider, signature, times, audience, role and trust policy.
///   source  STS API reference, AssumeRoleWithWebIdentity; facts/ecs-deploy.md 6.2
std::variant<Granted, Refused> decide(const WebIdentityRequest& request,
                                      const WebIdentityWorld& world);

/// Checks that all operations that assume roles make. throws Refusal ValidationError
void check_session_name(std::string_view name);
void check_duration(std::optional<std::int64_t> seconds, std::int64_t most);

}  // namespace slipway::cloud::sts
