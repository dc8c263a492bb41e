// SPDX-License-Identifier: Apache-2.0
#include "deploy/check.hpp"

#include <doctest/doctest.h>

#include "deploy/fake_calls.hpp"

using namespace slipway::deploy;
using slipway::formats::Json;
using slipway::formats::parse_json;

namespace {

std::string told(const std::vector<Finding>& findings,
                 Finding::State state = Finding::State::missing) {
  std::string text;
  for (const auto& finding : findings) {
    if (finding.state == state)
      text += finding.what + ": " + finding.message + " (" + finding.mend + ")\n";
  }
  return text;
}

std::string checked(const std::string& definition) {
  return told(check_definition("api", parse_json(definition)));
}

const char* const kLog =
    R"("logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"r","awslogs-stream-prefix":"p"}})";

}  // namespace

TEST_CASE("a definition that Fargate takes has nothing wrong") {
  CHECK(
      checked(
          std::string(
              R"({"family":"a","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"1024","executionRoleArn":"r",
    "containerDefinitions":[{"name":"c","image":"i",)") +
          kLog + "}]}")
          .empty());
}

TEST_CASE("what Fargate refuses is named with its mend") {
  CHECK(
      checked(
          R"({"family":"a","enviroment":[],"containerDefinitions":[{"name":"c","image":"i","portMapings":[]}]})") ==
      "api: enviroment: ECS has no such attribute (take it out)\n"
      "api: c.portMapings: ECS has no such attribute (did you mean portMappings?)\n");
  auto sized = [](const std::string& cpu, const std::string& memory) {
    return checked(
        R"({"family":"a","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":")" +
        cpu + R"(","memory":")" + memory +
        R"(","containerDefinitions":[{"name":"c","image":"i"}]})");
  };
  CHECK(sized("256", "2048").empty());
  CHECK(sized("256", "4096") ==
        "api: memory: 4096 MiB do not go with cpu 256 (from 512 to 2048 in steps of 512)\n");
  CHECK(sized("300", "512").find("300 is no size that Fargate has") != std::string::npos);
  CHECK(sized("4096", "8192").empty());
  CHECK(checked(
            R"({"family":"a","containerDefinitions":[{"name":"c","image":"i","essential":false}]})")
            .find("no container is essential") != std::string::npos);
  CHECK(
      checked(
          R"({"family":"a","containerDefinitions":[{"name":"c","image":"i","dependsOn":[{"containerName":"x","condition":"START"}]}]})")
          .find("there is no container 'x'") != std::string::npos);
}

TEST_CASE("an environment's missing parts are found, what may not be looked at is skipped") {
  FakeCalls calls;
  calls.answer("sts:GetCallerIdentity", parse_json(R"({"Account":"123456789012","Arn":"arn:me"})"));
  calls.refuse("iam:GetRole", "NoSuchEntity", "no such role");
  calls.refuse("ecs:DescribeClusters", "AccessDeniedException", "not allowed");
  calls.answer("ecs:DescribeServices", parse_json(R"({"services":[]})"));
  calls.answer("logs:DescribeLogGroups", parse_json(R"({"logGroups":[]})"));
  calls.answer("secretsmanager:GetSecretValue",
               parse_json(R"({"SecretString":"{\"user\":\"u\"}"})"));
  Needs needs;
  needs.account = "123456789012";
  needs.role_arn = "arn:aws:iam::123456789012:role/deploy";
  Candidate candidate{.environment = "staging",
                      .cluster = "shop",
                      .service = "api",
                      .definition = {},
                      .images = {},
                      .missing = {{"c", "ECR has no image"}}};
  candidate.definition = parse_json(
      std::string(
          R"({"family":"a","executionRoleArn":"arn:aws:iam::1:role/exec","containerDefinitions":[{"name":"c","image":"i",
    "secrets":[{"name":"USER","valueFrom":"arn:aws:secretsmanager:r:1:secret:db:user::"},{"name":"PASSWORD","valueFrom":"arn:aws:secretsmanager:r:1:secret:db:password::"}],)") +
      kLog + "}]}");
  auto findings = check_environment(calls, needs, {candidate}, {});
  auto missing = told(findings);
  for (const char* part :
       {"role deploy: it does not exist (slipway bootstrap)",
        "api: service: cluster shop has no active service",
        "api: executionRoleArn exec: it does not exist", "api: image of c: ECR has no image",
        "api: secret PASSWORD: secret db has no key 'password'",
        "api: log group g: it does not exist"}) {
    CHECK_MESSAGE(missing.find(part) != std::string::npos, part);
  }
  CHECK(missing.find("secret USER") == std::string::npos);
  CHECK(told(findings, Finding::State::skipped).find("cluster shop: AccessDeniedException") !=
        std::string::npos);
}
