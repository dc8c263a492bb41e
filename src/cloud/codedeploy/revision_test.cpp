// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "cloud/codedeploy/api.hpp"

using namespace slipway;
using namespace slipway::cloud;

namespace {

std::string refusal_of(const std::string& content) {
  try {
    (void)codedeploy::parse_app_spec(content);
    return "accepted";
  } catch (const Refusal& refusal) {
    return refusal.code() + ": " + refusal.message();
  }
}

constexpr const char* kYaml = R"(version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"
        LoadBalancerInfo:
          ContainerName: "web"
          ContainerPort: 8000
)";

}  // namespace

TEST_CASE("an AppSpec is read from YAML and from JSON, in either case of its keys") {
  codedeploy::AppSpec spec{
      .task_definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7",
      .container = "web",
      .port = 8000};
  CHECK(codedeploy::parse_app_spec(kYaml) == spec);
  CHECK(
      codedeploy::parse_app_spec(
          R"({"version":1,"resources":[{"S":{"type":"AWS::ECS::Service","properties":{"taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:7","loadBalancerInfo":{"containerName":"web","containerPort":"8000"}}}}]})") ==
      spec);
}

TEST_CASE("what is wrong in an AppSpec is named") {
  CHECK(refusal_of("[").starts_with("InvalidRevisionException: The AppSpec file is not valid: "));
  CHECK(refusal_of("version: 0.0").find("'Resources' is missing") != std::string::npos);
  CHECK(refusal_of("Resources: []").find("exactly one resource") != std::string::npos);
  CHECK(refusal_of("Resources: [{A: {Type: AWS::Lambda::Function}}]").find("AWS::ECS::Service") !=
        std::string::npos);
  std::string port = kYaml;
  CHECK(refusal_of(port.replace(port.find("8000"), 4, "eight")).find("'ContainerPort'") !=
        std::string::npos);
  CHECK(refusal_of(std::string(kYaml) + "Hooks:\n  - BeforeInstall: f\n").find("no Lambda") !=
        std::string::npos);
}

TEST_CASE("a revision's hash must be its content's, and its content must be here") {
  Json revision =
      Json::object({{"revisionType", "AppSpecContent"},
                    {"appSpecContent", Json::object({{"content", kYaml}, {"sha256", "00"}})}});
  CHECK_THROWS_AS(codedeploy::app_spec_of(revision), Refusal);
  revision["appSpecContent"].erase("sha256");
  CHECK(codedeploy::app_spec_of(revision).port == 8000);
  CHECK_THROWS_AS(codedeploy::app_spec_of(Json::object({{"revisionType", "S3"}})), Refusal);
}

TEST_CASE("traffic routing becomes a strategy of ECS") {
  CHECK(codedeploy::strategy_of(Json::object({{"type", "AllAtOnce"}}), 5).get_string("strategy") ==
        "BLUE_GREEN");
  Json linear = codedeploy::strategy_of(
      Json::object(
          {{"type", "TimeBasedLinear"},
           {"timeBasedLinear", Json::object({{"linearPercentage", 20}, {"linearInterval", 2}})}}),
      0);
  CHECK(linear.get_string("strategy") == "LINEAR");
  CHECK(linear.at("linearConfiguration").get_number("stepPercent") == 20);
  CHECK(linear.at("linearConfiguration").get_number("stepBakeTimeInMinutes") == 2);
}
