// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/web_identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"
#include "cloud/sts/token.hpp"

namespace slipway::cloud::sts {
namespace {

constexpr std::string_view kGitHub = "token.actions.githubusercontent.com";
// What STS takes over from GitHub's tokens as condition keys, besides aud, sub, azp and amr (facts/ecs-deploy.md 0.8).
constexpr std::array<std::string_view, 9> kGitHubClaims = {
    "actor",    "actor_id", "job_workflow_ref", "repository",   "repository_id",
    "workflow", "ref",      "environment",      "enterprise_id"};

Refused refused(std::string code, std::string message, int status, std::string explanation) {
  return {Refusal(std::move(code), std::move(message), status), std::move(explanation)};
}

Refused bad_token(std::string message, std::string explanation) {
  return refused("InvalidIdentityToken", std::move(message), 400, std::move(explanation));
}

std::string text_claim(const Json& claims, std::string_view name) {
  const auto* value = claims.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

std::vector<std::string> claim_values(const Json& claims, std::string_view name) {
  const auto* value = claims.find(name);
  std::vector<std::string> found;
  if (value == nullptr) return found;
  if (value->is_array()) {
    for (const auto& each : value->as_array()) {
      if (each.is_string()) found.push_back(each.as_string());
    }
  } else if (value->is_string()) {
    found.push_back(value->as_string());
  } else if (value->is_number() || value->is_bool()) {
    found.push_back(value->dump());
  }
  return found;
}

void check_parameters(const WebIdentityRequest& request) {
  Json members = Json::object({{"RoleArn", request.role_arn}, {"WebIdentityToken", request.token}});
  Input in(members, "ValidationError");
  if (request.role_arn.size() < 20)
    in.refuse(validation_message(request.role_arn, "roleArn",
                                 "Member must have length greater than or equal to 20"));
  auto arn = parse_arn(request.role_arn);
  if (!arn || arn->service != "iam" || !arn->resource.starts_with("role/"))
    in.refuse(fmt::format("{} is invalid", request.role_arn));
  check_session_name(request.session_name);
  if (request.token.size() < 4)
    in.refuse(validation_message(request.token, "webIdentityToken",
                                 "Member must have length greater than or equal to 4"));
  if (request.token.size() > 20'000)
    in.refuse(
        "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: "
        "Member must have length less than or equal to 20000");
  check_duration(request.duration_seconds, 43'200);
  if (!request.policy.empty()) iam::parse_policy(request.policy, iam::PolicyKind::identity);
}

std::optional<Refused> check_times(const Json& claims, Time now) {
  const auto* exp = claims.find("exp");
  if (exp == nullptr || !exp->is_number())
    return bad_token("The ID Token provided is missing the exp claim or it is not a number",
                     "exp is no number");
  auto seconds = formats::epoch_seconds(now);
  if (exp->as_number() <= seconds) {
    return refused(
        "ExpiredTokenException",
        fmt::format(
            "Token expired: current date/time {} must be before the expiration date/time {}",
            static_cast<long long>(seconds), static_cast<long long>(exp->as_number())),
        400, "the token has expired");
  }
  for (const auto* name : {"nbf", "iat"}) {
    const auto* value = claims.find(name);
    if (value == nullptr) continue;
    if (!value->is_number())
      return bad_token(fmt::format("The ID Token provided has an invalid {} claim", name),
                       fmt::format("{} is no number", name));
    if (value->as_number() > seconds + 300) {  // clocks may differ by five minutes
      return bad_token("The ID Token provided is not yet valid",
                       fmt::format("{} lies in the future", name));
    }
  }
  return std::nullopt;
}

iam::Context context_of(const Json& claims, const std::string& issuer,
                        const std::string& audience) {
  auto prefix = issuer.substr(issuer.find("://") + 3);
  iam::Context context;
  context[prefix + ":aud"] = {audience};
  if (auto oaud = claim_values(claims, "aud"); claims.contains("azp") && !oaud.empty())
    context[prefix + ":oaud"] = oaud;
  for (const auto* name : {"sub", "amr"}) {
    if (auto values = claim_values(claims, name); !values.empty())
      context[prefix + ":" + name] = values;
  }
  if (prefix == kGitHub || prefix.starts_with(std::string(kGitHub) + "/")) {
    for (auto name : kGitHubClaims) {
      if (auto values = claim_values(claims, name); !values.empty())
        context[fmt::format("{}:{}", prefix, name)] = values;
    }
  }
  return context;
}

std::optional<Refused> check_trust(const AssumableRole* role, const OidcProvider& provider,
                                   iam::Context context) {
  auto no = [](std::string why) {
    return refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403,
                   std::move(why));
  };
  if (role == nullptr) return no("there is no such role");
  iam::Request request{.action = "sts:AssumeRoleWithWebIdentity",
                       .resource = role->arn,
                       .context = std::move(context),
                       .principal_kind = "Federated",
                       .principal_names = {provider.arn}};
  iam::Policy policy;
  try {
    policy = iam::parse_policy(role->trust_policy, iam::PolicyKind::trust);
  } catch (const Refusal& refusal) {
    return no(refusal.message());
  }
  if (iam::evaluate(policy, request).effect != iam::Effect::allow)
    return no(iam::explain(policy, request));
  return std::nullopt;
}

}  // namespace

void check_session_name(std::string_view name) {
  Json none = Json::object({});
  Input in(none, "ValidationError");
  if (name.size() < 2)
    in.refuse(validation_message(name, "roleSessionName",
                                 "Member must have length greater than or equal to 2"));
  if (name.size() > 64)
    in.refuse(validation_message(name, "roleSessionName",
                                 "Member must have length less than or equal to 64"));
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
  if (name.find_first_not_of(kAllowed) != std::string_view::npos) {
    in.refuse(validation_message(name, "roleSessionName",
                                 "Member must satisfy regular expression pattern: [\\w+=,.@-]*"));
  }
}

void check_duration(std::optional<std::int64_t> seconds, std::int64_t most) {
  if (!seconds) return;
  Json none = Json::object({});
  Input in(none, "ValidationError");
  auto text = std::to_string(*seconds);
  if (*seconds < 900)
    in.refuse(validation_message(text, "durationSeconds",
                                 "Member must have value greater than or equal to 900"));
  if (*seconds > most)
    in.refuse(
        validation_message(text, "durationSeconds",
                           fmt::format("Member must have value less than or equal to {}", most)));
}

std::variant<Granted, Refused> decide(const WebIdentityRequest& request,
                                      const WebIdentityWorld& world) {
  try {
    check_parameters(request);
  } catch (const Refusal& refusal) {
    return Refused{refusal, refusal.message()};
  }
  auto token = read_token(request.token);
  if (!token)
    return bad_token(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access "
        "Token)",
        "it is no JWT");
  auto issuer = text_claim(token->claims, "iss");
  if (issuer.empty()) return bad_token("Missing a required claim: iss", "the token has no iss");
  auto provider = issuer.starts_with("https://") ? world.provider(issuer) : std::nullopt;
  if (!provider) {
    return bad_token(fmt::format("No OpenIDConnect provider found in your account for {}", issuer),
                     fmt::format("account {} has no OIDC provider for {}", world.account, issuer));
  }
  auto keys = world.key_set(issuer);
  if (!keys || !verify_signature(*token, *keys)) {
    return bad_token(
        "Couldn't retrieve verification key from your identity provider, please reference "
        "AssumeRoleWithWebIdentity documentation for requirements",
        keys ? "no key of the issuer verifies the signature"
             : "the issuer's keys could not be had");
  }
  if (auto trouble = check_times(token->claims, world.now)) return *trouble;
  // azp, where the token has it, is what the client IDs are compared with; else one of the audiences.
  auto audiences = claim_values(token->claims, token->claims.contains("azp") ? "azp" : "aud");
  auto known = std::find_if(audiences.begin(), audiences.end(), [&](const std::string& each) {
    return std::find(provider->client_ids.begin(), provider->client_ids.end(), each) !=
           provider->client_ids.end();
  });
  if (known == audiences.end()) {
    return bad_token("Incorrect token audience",
                     fmt::format("the token is for '{}', the provider knows '{}'",
                                 join(audiences, "', '"), join(provider->client_ids, "', '")));
  }
  auto subject = text_claim(token->claims, "sub");
  if (subject.empty()) return bad_token("Missing a required claim: sub", "the token has no sub");
  auto role = world.role(request.role_arn);
  if (auto trouble = check_trust(role ? &*role : nullptr, *provider,
                                 context_of(token->claims, issuer, *known)))
    return *trouble;
  if (request.duration_seconds &&
      std::chrono::seconds(*request.duration_seconds) > role->max_session) {
    return refused(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400,
        "the role's sessions are shorter");
  }
  return Granted{.role_arn = role->arn,
                 .subject = subject,
                 .audience = *known,
                 .provider = provider->arn,
                 .duration = std::chrono::seconds(request.duration_seconds.value_or(3600))};
}

}  // namespace slipway::cloud::sts
