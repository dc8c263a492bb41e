// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/sts.hpp"

#include <fmt/format.h>

#include "cloud/iam/authoriser.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"
#include "cloud/sts/web_identity.hpp"

namespace slipway::cloud::sts {
namespace {

constexpr std::string_view kBad = "ValidationError";

std::string without_scheme(const std::string& url) { return url.substr(url.find("://") + 3); }

Json credentials_json(const Credentials& credentials) {
  return Json::object({{"AccessKeyId", credentials.access_key_id},
                       {"SecretAccessKey", credentials.secret_access_key},
                       {"SessionToken", credentials.session_token},
                       {"Expiration", formats::iso8601(credentials.expiration)}});
}

std::vector<std::string> policy_arns(const Input& in) {
  std::vector<std::string> arns;
  for (const auto& each : in.items("PolicyArns")) arns.push_back(each.get_string("arn"));
  return arns;
}

class Sts final : public Service {
 public:
  Sts(State& state, Sessions& sessions, KeySets key_sets, Log& log)
      : state_(state), sessions_(sessions), key_sets_(std::move(key_sets)), log_(log) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "sts",
        .target_prefix = "",
        .api_version = "2011-06-15",
        .xml_namespace = "https://sts.amazonaws.com/doc/2011-06-15/",
        .protocol = Protocol::query,
        .host_prefixes = {"sts"},
        .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  // GetCallerIdentity and GetSessionToken need no permission; who may assume a role is the role's to say.
  [[nodiscard]] std::vector<Permission> permissions(const Call&) const override { return {}; }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }

 private:
  static const Operations<Sts>& operations() {
    static const Operations<Sts> table = {
        {"AssumeRole", &Sts::assume_role},
        {"AssumeRoleWithWebIdentity", &Sts::assume_role_with_web_identity},
        {"GetAccessKeyInfo", &Sts::get_access_key_info},
        {"GetCallerIdentity", &Sts::get_caller_identity},
        {"GetSessionToken", &Sts::get_session_token}};
    return table;
  }

  std::optional<AssumableRole> find_role(const std::string& role_arn) {
    auto parsed = parse_arn(role_arn);
    if (!parsed) return std::nullopt;
    auto role = state_.read([&](Tables& tables) {
      return tables.get("iam.role", {parsed->account, ""}, iam::role_name_of(role_arn));
    });
    if (!role || role->get_string("Arn") != role_arn) return std::nullopt;
    return AssumableRole{
        .arn = role_arn,
        .trust_policy = role->get_string("AssumeRolePolicyDocument"),
        .max_session = std::chrono::seconds(role->get_int("MaxSessionDuration", 3600))};
  }

  std::optional<OidcProvider> find_provider(const std::string& account, const std::string& issuer) {
    auto provider_arn = arn("iam", "", account, "oidc-provider/" + without_scheme(issuer));
    auto stored = state_.read([&](Tables& tables) {
      return tables.get("iam.oidc", {account, ""}, provider_arn);
    });
    if (!stored) return std::nullopt;
    OidcProvider provider{.arn = provider_arn, .url = issuer, .client_ids = {}};
    for (const auto& id : stored->get_array("ClientIDList"))
      provider.client_ids.push_back(id.as_string());
    return provider;
  }

  Json assume_role_with_web_identity(const Call& call) {
    Input in(call.input, kBad);
    WebIdentityRequest request{.role_arn = in.text_or("RoleArn"),
                               .session_name = in.text_or("RoleSessionName"),
                               .token = in.text_or("WebIdentityToken"),
                               .duration_seconds = in.optional_integer("DurationSeconds"),
                               .policy = in.text_or("Policy"),
                               .policy_arns = policy_arns(in)};
    auto role_arn = parse_arn(request.role_arn);
    auto account = role_arn ? role_arn->account : call.account;
    WebIdentityWorld world{
        .account = account,
        .provider = [&](const std::string& issuer) { return find_provider(account, issuer); },
        .role = [&](const std::string& wanted) { return find_role(wanted); },
        .key_set = [&](const std::string& issuer) { return key_sets_(issuer); },
        .now = call.now};
    auto outcome = decide(request, world);
    if (const auto* refused = std::get_if<Refused>(&outcome)) {
      log_.warn("AssumeRoleWithWebIdentity refused for {}: {}: {}", request.role_arn,
                refused->refusal.code(), refused->explanation);
      throw Refusal(refused->refusal);
    }
    const auto& granted = std::get<Granted>(outcome);
    auto credentials = sessions_.assume({.role_arn = granted.role_arn,
                                         .session_name = request.session_name,
                                         .duration = granted.duration,
                                         .session_policy = request.policy,
                                         .session_policy_arns = request.policy_arns},
                                        call.now);
    auto who = sessions_.find(credentials.access_key_id)->principal;
    return Json::object(
        {{"SubjectFromWebIdentityToken", granted.subject},
         {"Audience", granted.audience},
         {"AssumedRoleUser", Json::object({{"AssumedRoleId", who.id}, {"Arn", who.arn}})},
         {"Credentials", credentials_json(credentials)},
         {"Provider", granted.provider},
         {"PackedPolicySize", request.policy.size() * 100 / 2048}});
  }

  Json assume_role(const Call& call) {
    Input in(call.input, kBad);
    auto role_arn = in.text("RoleArn");
    auto session_name = in.text("RoleSessionName");
    check_session_name(session_name);
    auto duration = in.optional_integer("DurationSeconds");
    check_duration(duration, 43'200);
    auto policy = in.text_or("Policy");
    if (!policy.empty()) iam::parse_policy(policy, iam::PolicyKind::identity);
    auto role = find_role(role_arn);
    if (!role || !trusts(*role, call, in.optional_text("ExternalId"))) {
      throw Refusal(
          "AccessDenied",
          fmt::format("User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                      call.caller.arn, role_arn),
          403);
    }
    // Role chaining is limited to one hour.
    auto most = call.caller.kind == Principal::Kind::assumed_role ? std::chrono::seconds(3600)
                                                                  : role->max_session;
    if (duration && std::chrono::seconds(*duration) > most) {
      in.refuse(
          call.caller.kind == Principal::Kind::assumed_role
              ? "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining"
              : "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    }
    auto credentials = sessions_.assume({.role_arn = role_arn,
                                         .session_name = session_name,
                                         .duration = std::chrono::seconds(duration.value_or(3600)),
                                         .session_policy = policy,
                                         .session_policy_arns = policy_arns(in)},
                                        call.now);
    auto who = sessions_.find(credentials.access_key_id)->principal;
    return Json::object(
        {{"AssumedRoleUser", Json::object({{"AssumedRoleId", who.id}, {"Arn", who.arn}})},
         {"Credentials", credentials_json(credentials)},
         {"PackedPolicySize", policy.size() * 100 / 2048}});
  }

  // A trust policy that names the account leaves the decision to the account's own identity policies; one that names the caller
  // itself is enough. source IAM User Guide, "Policy evaluation logic"
  bool trusts(const AssumableRole& role, const Call& call,
              const std::optional<std::string>& external_id) {
    iam::Request request{.action = "sts:AssumeRole",
                         .resource = role.arn,
                         .context = {},
                         .principal_kind = "AWS",
                         .principal_names = {call.caller.arn}};
    if (external_id) request.context["sts:ExternalId"] = {*external_id};
    request.context["aws:PrincipalAccount"] = {call.caller.account};
    request.context["aws:PrincipalArn"] = {call.caller.arn};
    if (call.caller.kind == Principal::Kind::assumed_role) {
      auto own = state_.read([&](Tables& tables) {
        return tables.get("iam.role", {call.caller.account, ""}, call.caller.entity);
      });
      if (own) {
        request.principal_names.push_back(own->get_string("Arn"));
        request.context["aws:PrincipalArn"] = {own->get_string("Arn")};
      }
    }
    auto policy = iam::parse_policy(role.trust_policy, iam::PolicyKind::trust);
    if (call.caller.kind != Principal::Kind::root &&
        iam::evaluate(policy, request).effect == iam::Effect::allow)
      return true;
    request.principal_names.push_back(call.caller.account);
    request.principal_names.push_back(arn("iam", "", call.caller.account, "root"));
    if (iam::evaluate(policy, request).effect != iam::Effect::allow) return false;
    iam::Authoriser authoriser(state_);
    return authoriser
        .decide(call.caller, Permission{.action = "sts:AssumeRole", .resource = role.arn}, call)
        .is_allowed;
  }

  Json get_caller_identity(const Call& call) {
    return Json::object(
        {{"UserId", call.caller.id}, {"Account", call.caller.account}, {"Arn", call.caller.arn}});
  }

  Json get_session_token(const Call& call) {
    Input in(call.input, kBad);
    if (call.caller.kind == Principal::Kind::assumed_role) {
      throw Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials", 403);
    }
    auto duration =
        in.integer_or("DurationSeconds", call.caller.kind == Principal::Kind::root ? 3600 : 43'200);
    check_duration(duration, 129'600);
    return Json::object(
        {{"Credentials", credentials_json(sessions_.session_for(
                             call.caller, std::chrono::seconds(duration), call.now))}});
  }

  Json get_access_key_info(const Call& call) {
    Input in(call.input, kBad);
    auto id = in.text("AccessKeyId");
    auto key = sessions_.find(id);
    if (!key) in.refuse(fmt::format("Invalid Access Key: {}", id));
    return Json::object({{"Account", key->principal.account}});
  }

  State& state_;
  Sessions& sessions_;
  KeySets key_sets_;
  Log& log_;
};

}  // namespace

std::unique_ptr<Service> make_sts(State& state, Sessions& sessions, KeySets key_sets, Log& log) {
  return std::make_unique<Sts>(state, sessions, std::move(key_sets), log);
}

}  // namespace slipway::cloud::sts
