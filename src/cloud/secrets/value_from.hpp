// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "cloud/iam/authoriser.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::secrets {

/// Why a secret could not be had, in the words that end in a task's stoppedReason.
struct NoValue {
  std::string
      reason;  ///< starts "ResourceInitializationError: unable to pull secrets or registry auth: …"
};

/// Resolves one `valueFrom` of a container definition as the ECS agent does: a Secrets Manager ARN, whole or with
/// `:json-key:version-stage:version-id`; an SSM parameter's ARN or, in the task's own region, its name.
///   execution_role_arn  whose policies must allow secretsmanager:GetSecretValue / ssm:GetParameters; empty: no role, refused
///   source              ECS developer guide, "Pass sensitive data to an Amazon ECS container"; facts/ecs-deploy.md 5.8
std::variant<std::string, NoValue> resolve_value_from(std::string_view value_from,
                                                      const std::string& execution_role_arn,
                                                      const Scope& task_scope, State& state,
                                                      const iam::Authoriser& authoriser, Time now);

}  // namespace slipway::cloud::secrets
