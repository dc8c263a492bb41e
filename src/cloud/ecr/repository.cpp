// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/repository.hpp"

#include <fmt/format.h>

#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecr {

std::string repository_arn(const Scope& scope, std::string_view name) {
  return arn("ecr", scope.region, scope.account, fmt::format("repository/{}", name));
}

bool is_tag_immutable(const Json& repository, std::string_view tag) {
  auto mode = repository.get_string("imageTagMutability", "MUTABLE");
  bool immutable = mode.starts_with("IMMUTABLE");
  if (!mode.ends_with("_WITH_EXCLUSION")) return immutable;
  for (const auto& filter : repository.get_array("imageTagMutabilityExclusionFilters")) {
    if (iam::matches_pattern(filter.get_string("filter"), tag)) return !immutable;
  }
  return immutable;
}

iam::Decision decide(const iam::Authoriser& authoriser, const Principal& caller,
                     const Permission& permission, const Call& call, const Json& repository) {
  auto decision = authoriser.decide(caller, permission, call);
  auto text = repository.is_object() ? repository.get_string("policyText") : "";
  if (text.empty() || decision.is_explicit_deny) return decision;
  iam::Request request{
      .action = permission.action,
      .resource = permission.resource,
      .context = {},
      .principal_kind = "AWS",
      .principal_names = {caller.arn, caller.account, arn("iam", "", caller.account, "root")}};
  if (caller.kind == Principal::Kind::assumed_role)
    request.principal_names.push_back(arn("iam", "", caller.account, "role/" + caller.entity));
  for (const auto& [key, values] : permission.context) request.context[key] = values;
  auto verdict = iam::evaluate(iam::parse_policy(text, iam::PolicyKind::resource), request);
  if (verdict.effect == iam::Effect::deny)
    return {false, true, "with an explicit deny in a resource-based policy"};
  if (verdict.effect == iam::Effect::allow && !decision.is_allowed)
    return {true, false, "the repository policy"};
  return decision;
}

std::string no_repository(std::string_view name, std::string_view account) {
  return fmt::format("The repository with name '{}' does not exist in the registry with id '{}'",
                     name, account);
}

std::string not_authorised(const Principal& caller, const Permission& permission,
                           const iam::Decision& decision) {
  return fmt::format("User: {} is not authorized to perform: {} on resource: {} {}", caller.arn,
                     permission.action, permission.resource, decision.reason);
}

}  // namespace slipway::cloud::ecr
