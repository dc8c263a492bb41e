// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/authoriser.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cloud/iam/managed_policies.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::iam {
namespace {

// The policies that bear on a principal, as texts with the names they go by.
struct Bearing {
  std::vector<std::pair<std::string, std::string>> identity;
  std::optional<std::string> boundary;
  std::vector<std::string> session;
  std::string entity_arn;  // the role's or user's own ARN
  bool exists = false;
};

std::optional<std::string> document_of(Tables& tables, const std::string& account,
                                       const std::string& arn) {
  if (const auto* managed = find_managed_policy(arn)) return std::string(managed->document);
  auto policy = tables.get("iam.policy", {account, ""}, arn);
  if (!policy) return std::nullopt;
  const auto* version = policy->at("versions").find(policy->get_string("DefaultVersionId"));
  return version == nullptr ? std::nullopt : std::optional(version->get_string("Document"));
}

Bearing bearing_on(Tables& tables, const Principal& who) {
  Bearing bearing;
  auto kind = who.kind == Principal::Kind::user ? "iam.user" : "iam.role";
  auto entity = tables.get(kind, {who.account, ""}, who.entity);
  if (!entity) return bearing;
  bearing.exists = true;
  bearing.entity_arn = entity->get_string("Arn");
  if (const auto* inline_policies = entity->find("inline")) {
    for (const auto& [name, text] : inline_policies->as_object())
      bearing.identity.emplace_back(name, text.as_string());
  }
  for (const auto& arn : entity->get_array("attached")) {
    if (auto text = document_of(tables, who.account, arn.as_string()))
      bearing.identity.emplace_back(arn.as_string(), *text);
  }
  if (auto arn = entity->get_string("PermissionsBoundary"); !arn.empty()) {
    bearing.boundary = document_of(tables, who.account, arn).value_or(R"({"Statement":[]})");
  }
  if (!who.session_policy.empty()) bearing.session.push_back(who.session_policy);
  for (const auto& arn : who.session_policy_arns) {
    bearing.session.push_back(
        document_of(tables, who.account, arn).value_or(R"({"Statement":[]})"));
  }
  return bearing;
}

// A document that cannot be read grants nothing (it was checked when it was put).
Verdict verdict_of(const std::string& text, const Request& request) {
  try {
    return evaluate(parse_policy(text, PolicyKind::identity), request);
  } catch (const Refusal&) {
    return {};
  }
}

Decision denied(std::string reason, bool is_explicit = false) {
  return {false, is_explicit, std::move(reason)};
}

Decision decide_by(const Bearing& bearing, const Request& request) {
  Decision decision;
  for (const auto& [name, text] : bearing.identity) {
    auto verdict = verdict_of(text, request);
    if (verdict.effect == Effect::deny)
      return denied("with an explicit deny in an identity-based policy", true);
    if (verdict.effect == Effect::allow && !decision.is_allowed) decision = {true, false, name};
  }
  if (bearing.boundary) {
    auto verdict = verdict_of(*bearing.boundary, request);
    if (verdict.effect == Effect::deny)
      return denied("with an explicit deny in a permissions boundary", true);
    if (verdict.effect == Effect::none)
      return denied(
          fmt::format("because no permissions boundary allows the {} action", request.action));
  }
  bool session_allows = bearing.session.empty();
  for (const auto& text : bearing.session) {
    auto verdict = verdict_of(text, request);
    if (verdict.effect == Effect::deny)
      return denied("with an explicit deny in a session policy", true);
    if (verdict.effect == Effect::allow) session_allows = true;
  }
  if (!decision.is_allowed)
    return denied(
        fmt::format("because no identity-based policy allows the {} action", request.action));
  if (!session_allows)
    return denied(fmt::format("because no session policy allows the {} action", request.action));
  return decision;
}

Context context_of(const Principal& caller, const Bearing& bearing, const Call& call) {
  Context context;
  context["aws:PrincipalArn"] = {bearing.entity_arn};
  context["aws:PrincipalAccount"] = {caller.account};
  context["aws:PrincipalType"] = {caller.kind == Principal::Kind::user ? "User" : "AssumedRole"};
  context["aws:userid"] = {caller.id};
  if (caller.kind == Principal::Kind::user) context["aws:username"] = {caller.entity};
  context["aws:RequestedRegion"] = {call.region};
  context["aws:CurrentTime"] = {formats::iso8601(call.now)};
  context["aws:EpochTime"] = {
      std::to_string(static_cast<long long>(formats::epoch_seconds(call.now)))};
  context["aws:SecureTransport"] = {call.is_secure ? "true" : "false"};
  if (!call.source_ip.empty()) context["aws:SourceIp"] = {call.source_ip};
  if (!call.user_agent.empty()) context["aws:UserAgent"] = {call.user_agent};
  context["aws:ViaAWSService"] = {"false"};
  return context;
}

}  // namespace

std::string role_name_of(const std::string& role_arn) {
  auto arn = parse_arn(role_arn);
  if (!arn || arn->service != "iam" || !arn->resource.starts_with("role/")) return "";
  return arn->resource.substr(arn->resource.rfind('/') + 1);
}

Decision Authoriser::decide(const Principal& caller, const Permission& permission,
                            const Call& call) const {
  if (caller.kind == Principal::Kind::root) return {true, false, "the account's root user"};
  if (caller.kind == Principal::Kind::anonymous) return denied("because the request is not signed");
  auto bearing = state_.read([&](Tables& tables) { return bearing_on(tables, caller); });
  if (!bearing.exists)
    return denied(
        fmt::format("because no identity-based policy allows the {} action", permission.action));
  Request request{.action = permission.action,
                  .resource = permission.resource,
                  .context = context_of(caller, bearing, call),
                  .principal_kind = "",
                  .principal_names = {}};
  for (const auto& [key, values] : permission.context) request.context[key] = values;
  return decide_by(bearing, request);
}

Decision Authoriser::decide_for_role(const std::string& role_arn, const std::string& action,
                                     const std::string& resource, const std::string& region) const {
  auto arn = parse_arn(role_arn);
  if (!arn) return denied("because the role does not exist");
  Principal role{.kind = Principal::Kind::assumed_role,
                 .account = arn->account,
                 .arn = role_arn,
                 .id = "",
                 .access_key_id = "",
                 .entity = role_name_of(role_arn),
                 .session_policy = "",
                 .session_policy_arns = {}};
  Call call;
  call.region = region;
  call.now = formats::now();
  call.is_secure = true;
  return decide(role, Permission{.action = action, .resource = resource}, call);
}

bool Authoriser::trusts_service(const std::string& role_arn, const std::string& service) const {
  auto arn = parse_arn(role_arn);
  if (!arn) return false;
  auto role = state_.read([&](Tables& tables) {
    return tables.get("iam.role", {arn->account, ""}, role_name_of(role_arn));
  });
  if (!role || role->get_string("Arn") != role_arn) return false;
  try {
    auto policy = parse_policy(role->get_string("AssumeRolePolicyDocument"), PolicyKind::trust);
    Request request{.action = "sts:AssumeRole",
                    .resource = "*",
                    .context = {},
                    .principal_kind = "Service",
                    .principal_names = {service}};
    request.context["aws:SourceAccount"] = {arn->account};
    return evaluate(policy, request).effect == Effect::allow;
  } catch (const Refusal&) {
    return false;
  }
}

void Authoriser::require(const Permission& permission, const Call& call, Protocol protocol) const {
  auto decision = decide(call.caller, permission, call);
  if (decision.is_allowed) return;
  auto message =
      fmt::format("User: {} is not authorized to perform: {} on resource: {} {}", call.caller.arn,
                  permission.action, permission.resource, decision.reason);
  if (protocol == Protocol::ec2) {
    throw Refusal("UnauthorizedOperation",
                  "You are not authorized to perform this operation. " + message, 403);
  }
  bool json = protocol == Protocol::json_1_0 || protocol == Protocol::json_1_1;
  throw Refusal(json ? "AccessDeniedException" : "AccessDenied", message, json ? 400 : 403);
}

}  // namespace slipway::cloud::iam
