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

TEST_CASE("a lifecycle policy that may expire what was released is warned of") {
  FakeCalls calls;
  auto with = [&](const std::string& selection) {
    calls.answer("ecr:GetLifecyclePolicy",
                 Json::object({{"lifecyclePolicyText",
                                R"({"rules":[{"rulePriority":7,"selection":)" + selection +
                                    R"(,"action":{"type":"expire"}}]})"}}));
    Candidate web;
    web.images = {{"web", "1.dkr.ecr.us-east-1.amazonaws.com/shop/web:abc123", ""}};
    return told(check_lifecycle(calls, {web, web}, {}), Finding::State::warned);
  };
  CHECK(with(R"({"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10})") ==
        "lifecycle policy of shop/web: its rule 7 expires images with tags like abc123: all but "
        "the newest 10; a rollback to one of those finds no image (keep as many as you may want to "
        "go back to)\n");
  CHECK(
      with(
          R"({"tagStatus":"tagged","tagPrefixList":["abc"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14})")
          .find("those pushed more than 14 days ago") != std::string::npos);
  CHECK(
      with(
          R"({"tagStatus":"tagged","tagPatternList":["pr-*"],"countType":"imageCountMoreThan","countNumber":1})")
          .empty());
  CHECK(
      with(R"({"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1})").empty());
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

TEST_CASE(
    "rights that a role lacks are named with what they are on; PassRole is asked as ECS passes "
    "it") {
  FakeCalls calls;
  std::string denied = "iam:PassRole";
  calls.on("iam:SimulatePrincipalPolicy", [&](const Json& input) {
    Json results = Json::array();
    for (const auto& action : input.get_array("ActionNames")) {
      for (const auto& resource : input.get_array("ResourceArns")) {
        bool is_good = action.as_string() != denied;
        results.push_back(Json::object({{"EvalActionName", action},
                                        {"EvalResourceName", resource},
                                        {"EvalDecision", is_good ? "allowed" : "implicitDeny"}}));
      }
    }
    return slipway::aws::Answer(Json::object({{"EvaluationResults", results}}));
  });
  Needs needs;
  needs.account = "1";
  needs.region = "r";
  needs.role_arn = "arn:aws:iam::1:role/deploy";
  Candidate candidate{.environment = "staging",
                      .cluster = "shop",
                      .service = "api",
                      .definition = {},
                      .images = {},
                      .missing = {}};
  candidate.definition = parse_json(
      R"({"family":"a","executionRoleArn":"arn:aws:iam::1:role/exec","containerDefinitions":[{"name":"c","image":"i",
    "secrets":[{"name":"USER","valueFrom":"arn:aws:secretsmanager:r:1:secret:db:user::"}]}]})");
  auto findings = check_rights(calls, needs, {candidate}, {});
  CHECK(told(findings) ==
        "rights of role deploy: it may not iam:PassRole on arn:aws:iam::1:role/exec (allow it; "
        "slipway bootstrap --terraform prints the "
        "whole policy)\n");
  CHECK(told(findings, Finding::State::ok).find("rights of role exec: all") == 0);
  std::size_t asked = 0;
  for (const auto& input : calls.inputs_of("iam:SimulatePrincipalPolicy")) {
    bool is_pass = input.at("ActionNames").dump() == R"(["iam:PassRole"])";
    if (is_pass) ++asked;
    CHECK(input.contains("ContextEntries") == is_pass);
  }
  CHECK(asked == 1);

  denied = "secretsmanager:GetSecretValue";
  CHECK(told(check_rights(calls, needs, {candidate}, {}))
            .find("rights of role exec: it may not secretsmanager:GetSecretValue on "
                  "arn:aws:secretsmanager:r:1:secret:dbx") == 0);
  calls.refuse("iam:SimulatePrincipalPolicy", "AccessDenied", "no");
  CHECK(check_rights(calls, needs, {candidate}, {}).size() == 2);
  calls.refuse("iam:SimulatePrincipalPolicy", "NoSuchEntity", "no");
  CHECK(check_rights(calls, needs, {candidate}, {}).empty());
}

TEST_CASE("subnets from which tasks do not reach ECR are named") {
  FakeCalls calls;
  calls.answer(
      "ec2:DescribeSubnets",
      parse_json(
          R"({"subnetSet":{"item":[{"subnetId":"subnet-a","vpcId":"vpc-1"},{"subnetId":"subnet-b","vpcId":"vpc-1"}]}})"));
  // subnet-b has a table of its own, with a NAT gateway; subnet-a the main one.
  calls.answer("ec2:DescribeRouteTables", parse_json(R"({"routeTableSet":{"item":[
    {"associationSet":{"item":{"main":"true"}},"routeSet":{"item":[{"destinationCidrBlock":"10.0.0.0/16","gatewayId":"local"},{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-1","state":"active"}]}},
    {"associationSet":{"item":{"main":"false","subnetId":"subnet-b"}},"routeSet":{"item":{"destinationCidrBlock":"0.0.0.0/0","natGatewayId":"nat-1","state":"active"}}}]}})"));
  calls.answer("ec2:DescribeVpcEndpoints", parse_json(R"({"vpcEndpointSet":""})"));
  Json network = parse_json(R"({"subnets":["subnet-a","subnet-b"],"assignPublicIp":"DISABLED"})");
  CHECK(told(check_network(calls, "api", network, {}))
            .find("api: routes of subnet-a: tasks without a public address") == 0);
  network["assignPublicIp"] = "ENABLED";
  CHECK(told(check_network(calls, "api", network, {})).empty());
  network["assignPublicIp"] = "DISABLED";
  calls.answer(
      "ec2:DescribeVpcEndpoints",
      parse_json(
          R"({"vpcEndpointSet":{"item":[{"serviceName":"com.amazonaws.r.ecr.api"},{"serviceName":"com.amazonaws.r.ecr.dkr"},{"serviceName":"com.amazonaws.r.s3"}]}})"));
  auto findings = check_network(calls, "api", network, {});
  CHECK(told(findings).empty());
  CHECK(told(findings, Finding::State::ok).find("by VPC endpoints") != std::string::npos);
}

TEST_CASE("a quota that old and new tasks together exceed is told before") {
  FakeCalls calls;
  calls.answer("servicequotas:GetServiceQuota", parse_json(R"({"Quota":{"Value":6.0}})"));
  calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":["a","b"]})"));
  calls.answer("ecs:DescribeTasks", parse_json(R"({"tasks":[{"cpu":"2048"},{"cpu":"2048"}]})"));
  calls.answer(
      "ecs:DescribeServices",
      parse_json(
          R"({"services":[{"desiredCount":2,"deploymentConfiguration":{"maximumPercent":150}}]})"));
  Candidate candidate{.environment = "staging",
                      .cluster = "shop",
                      .service = "api",
                      .definition = {},
                      .images = {},
                      .missing = {}};
  candidate.definition = parse_json(R"({"cpu":"2 vCPU"})");
  CHECK(told(check_quota(calls, {candidate}, {}), Finding::State::ok) ==
        "quota of Fargate's vCPUs: 4 of 6, 2 more while it is released:  ()\n");
  candidate.definition = parse_json(R"({"cpu":"4096"})");
  CHECK(told(check_quota(calls, {candidate}, {}))
            .find("it is 6; the tasks that run use 4, and a release needs 4 more") !=
        std::string::npos);
  calls.refuse("servicequotas:GetServiceQuota", "AccessDeniedException", "no");
  CHECK(check_quota(calls, {candidate}, {}).front().state == Finding::State::skipped);
  calls.refuse("servicequotas:GetServiceQuota", "UnknownOperationException", "no");
  CHECK(check_quota(calls, {candidate}, {}).empty());
}
