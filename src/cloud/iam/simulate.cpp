// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/simulate.hpp"

#include <fmt/format.h>

#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::iam {
namespace {

constexpr std::string_view kBadSimulation = "ValidationError";

Principal principal_of(State& state, const Call& call, const std::string& source) {
  auto arn = parse_arn(source);
  bool is_role = arn && arn->service == "iam" && arn->resource.starts_with("role/");
  bool is_user = arn && arn->service == "iam" && arn->resource.starts_with("user/");
  if (!is_role && !is_user)
    throw Refusal("InvalidInput", fmt::format("Invalid Entity Arn: {}", source), 400);
  Principal principal{.kind = is_role ? Principal::Kind::assumed_role : Principal::Kind::user,
                      .account = call.account,
                      .arn = source,
                      .id = "",
                      .access_key_id = "",
                      .entity = arn->resource.substr(arn->resource.rfind('/') + 1),
                      .session_policy = "",
                      .session_policy_arns = {}};
  bool is_there = state.read([&](Tables& tables) {
    return tables.get(is_role ? "iam.role" : "iam.user", {call.account, ""}, principal.entity)
        .has_value();
  });
  if (!is_there)
    throw Refusal("NoSuchEntity",
                  fmt::format("The {} with name {} cannot be found.", is_role ? "role" : "user",
                              principal.entity),
                  404);
  return principal;
}

}  // namespace

Json simulate_principal_policy(State& state, const Call& call) {
  Input in(call.input, kBadSimulation);
  auto principal = principal_of(state, call, in.text("PolicySourceArn"));
  std::map<std::string, std::vector<std::string>> context;
  for (const auto& entry : in.items("ContextEntries")) {
    Input one(entry, kBadSimulation);
    context[one.text("ContextKeyName")] = one.texts("ContextKeyValues");
  }
  auto resources = in.texts("ResourceArns");
  if (resources.empty()) resources.emplace_back("*");
  Authoriser authoriser(state);
  Json results = Json::array();
  for (const auto& action : in.texts("ActionNames")) {
    for (const auto& resource : resources) {
      auto decision = authoriser.decide(
          principal, {.action = action, .resource = resource, .context = context}, call);
      results.push_back(
          Json::object({{"EvalActionName", action},
                        {"EvalResourceName", resource},
                        {"EvalDecision", decision.is_allowed         ? "allowed"
                                         : decision.is_explicit_deny ? "explicitDeny"
                                                                     : "implicitDeny"},
                        {"MatchedStatements", Json::array()},
                        {"MissingContextValues", Json::array()}}));
    }
  }
  return Json::object({{"EvaluationResults", results}, {"IsTruncated", false}});
}

}  // namespace slipway::cloud::iam
