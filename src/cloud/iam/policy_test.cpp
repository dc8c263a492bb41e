// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/policy.hpp"

#include <doctest/doctest.h>

#include "cloud/iam/authoriser.hpp"

using namespace slipway::cloud;
using namespace slipway::cloud::iam;

namespace {

Effect ask(const std::string& policy, const std::string& action, const std::string& resource = "*",
           Context context = {}) {
  Request request{.action = action,
                  .resource = resource,
                  .context = std::move(context),
                  .principal_kind = "",
                  .principal_names = {}};
  return evaluate(parse_policy(policy, PolicyKind::identity), request).effect;
}

std::string statement(const std::string& rest) {
  return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)" + rest + "}]}";
}

bool met(const std::string& op, const std::string& wanted, const std::string& found) {
  auto condition = parse_operator(op);
  REQUIRE(condition.has_value());
  condition->key = "k";
  condition->values = {wanted};
  return is_met(*condition, Context{{"K", {found}}});
}

}  // namespace

TEST_CASE("actions ignore capitals, resources do not, both know * and ?") {
  auto policy =
      statement(R"("Action":"ecs:Describe*","Resource":"arn:aws:ecs:*:1:service/web/ap?")");
  CHECK(ask(policy, "ECS:describeServices", "arn:aws:ecs:us-east-1:1:service/web/api") ==
        Effect::allow);
  CHECK(ask(policy, "ecs:DescribeServices", "arn:aws:ecs:us-east-1:1:service/web/API") ==
        Effect::none);
  CHECK(ask(policy, "ecs:UpdateService", "arn:aws:ecs:us-east-1:1:service/web/api") ==
        Effect::none);
}

TEST_CASE("NotAction and NotResource speak of everything else") {
  CHECK(ask(statement(R"("NotAction":"iam:*","Resource":"*")"), "ecs:RunTask") == Effect::allow);
  CHECK(ask(statement(R"("NotAction":"iam:*","Resource":"*")"), "iam:CreateRole") == Effect::none);
  CHECK(ask(statement(R"("Action":"*","NotResource":"arn:x")"), "s3:Get", "arn:x") == Effect::none);
}

TEST_CASE("a deny wins wherever it stands") {
  auto policy =
      R"({"Statement":[{"Effect":"Deny","Action":"ecs:DeleteService","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"}]})";
  CHECK(ask(policy, "ecs:DeleteService") == Effect::deny);
  CHECK(ask(policy, "ecs:RunTask") == Effect::allow);
}

TEST_CASE("operators compare as the user guide says") {
  CHECK(met("NumericLessThan", "10", "9.5"));
  CHECK_FALSE(met("NumericLessThan", "10", "x"));
  CHECK(met("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"));
  CHECK(met("DateLessThan", "1800000000", "2026-06-01T00:00:00Z"));
  CHECK(met("Bool", "true", "TRUE"));
  CHECK(met("IpAddress", "10.1.0.0/16", "10.1.2.3"));
  CHECK_FALSE(met("IpAddress", "10.1.0.0/16", "10.2.2.3"));
  CHECK(met("NotIpAddress", "2001:db8::/32", "2001:db9::1"));
  CHECK(met("ArnLike", "arn:aws:iam::*:role/ci-*", "arn:aws:iam::1:role/ci-x"));
  CHECK_FALSE(met("ArnLike", "arn:aws:*", "arn:aws:iam::1:role/x"));
  CHECK(met("StringEqualsIgnoreCase", "A", "a"));
  CHECK_FALSE(parse_operator("StringMatches").has_value());
}

TEST_CASE("a missing key fails a positive operator, passes a negated one and IfExists") {
  auto with = [](const std::string& op) {
    auto condition = *parse_operator(op);
    condition.key = "k";
    condition.values = {"v"};
    return is_met(condition, {});
  };
  CHECK_FALSE(with("StringEquals"));
  CHECK(with("StringNotEquals"));
  CHECK(with("StringEqualsIfExists"));
  CHECK(with("ForAllValues:StringEquals"));
  CHECK_FALSE(with("ForAnyValue:StringEquals"));
}

TEST_CASE("policy variables stand for the caller's values, and their stars are text") {
  auto policy = statement(R"("Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*")");
  CHECK(ask(policy, "s3:Get", "arn:aws:s3:::b/eve/x", {{"aws:username", {"eve"}}}) ==
        Effect::allow);
  CHECK(ask(policy, "s3:Get", "arn:aws:s3:::b/bob/x", {{"aws:username", {"*"}}}) == Effect::none);
  CHECK(ask(policy, "s3:Get", "arn:aws:s3:::b//x") == Effect::none);
}

TEST_CASE("documents that AWS calls malformed are refused") {
  for (
      const auto* text :
      {"{", "[]", "{}", R"({"Statement":[]})",
       R"({"Statement":[{"Effect":"allow","Action":"a:b","Resource":"*"}]})",
       R"({"Statement":[{"Effect":"Allow","Action":"a:b"}]})",
       R"({"Statement":[{"Effect":"Allow","Resource":"*"}]})",
       R"({"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]})",
       R"({"Statement":[{"Effect":"Allow","Action":"ab","Resource":"*"}]})",
       R"({"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":"*"}]})",
       R"({"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Nope":{"a":"b"}}}]})"}) {
    CHECK_THROWS_AS(parse_policy(text, PolicyKind::identity), Refusal);
  }
  CHECK_THROWS_AS(parse_policy(R"({"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]})",
                               PolicyKind::trust),
                  Refusal);
}

TEST_CASE(
    "identity, boundary and session policies must all allow, and the refusal says which did not") {
  State state(":memory:");
  Authoriser authoriser(state);
  Scope scope{"1", ""};
  state.write([&](Tables& tables) {
    tables.put(
        "iam.policy", scope, "arn:aws:iam::1:policy/b",
        Json::object(
            {{"DefaultVersionId", "v1"},
             {"versions",
              Json::object(
                  {{"v1",
                    Json::object(
                        {{"Document",
                          statement(R"("Action":["ecs:*","logs:*"],"Resource":"*")")}})}})}}));
    tables.put(
        "iam.role", scope, "r",
        Json::object(
            {{"Arn", "arn:aws:iam::1:role/r"},
             {"inline",
              Json::object({{"p", statement(R"("Action":["ecs:*","ecr:*"],"Resource":"*")")}})},
             {"attached", Json::array({})},
             {"PermissionsBoundary", "arn:aws:iam::1:policy/b"}}));
  });
  Principal who{.kind = Principal::Kind::assumed_role,
                .account = "1",
                .arn = "arn:aws:sts::1:assumed-role/r/s",
                .id = "",
                .access_key_id = "",
                .entity = "r",
                .session_policy = statement(R"("Action":"ecs:Describe*","Resource":"*")"),
                .session_policy_arns = {}};
  auto decide = [&](const std::string& action) {
    return authoriser.decide(who, Permission{.action = action}, Call{});
  };
  CHECK(decide("ecs:DescribeServices").is_allowed);
  CHECK(decide("ecs:UpdateService").reason ==
        "because no session policy allows the ecs:UpdateService action");
  CHECK(decide("ecr:PutImage").reason ==
        "because no permissions boundary allows the ecr:PutImage action");
  CHECK(decide("logs:GetLogEvents").reason ==
        "because no identity-based policy allows the logs:GetLogEvents action");
}
