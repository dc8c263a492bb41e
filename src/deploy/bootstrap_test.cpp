// SPDX-License-Identifier: Apache-2.0
#include "deploy/bootstrap.hpp"

#include <doctest/doctest.h>

#include "deploy/fake_calls.hpp"
#include "deploy/terraform.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

const char* const kTask =
    R"({"family":"shop-staging","networkMode":"awsvpc","cpu":"256","memory":"512",
  "executionRoleArn":"arn:aws:iam::123456789012:role/shop-execution","taskRoleArn":"arn:aws:iam::123456789012:role/shop-task",
  "containerDefinitions":[{"name":"web","image":"i","portMappings":[{"containerPort":8000}],
    "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/shop"}},
    "secrets":[{"name":"DATABASE_URL","valueFrom":"arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/database-url"},
      {"name":"KEY","valueFrom":"arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/keys:stripe::"},
      {"name":"FLAG","valueFrom":"/shop/flag"},{"name":"MODE","valueFrom":"arn:aws:ssm:us-east-1:123456789012:parameter/shop/mode"}]}]})";

Needs shop() {
  ServiceNeed web{.name = "web",
                  .container = "web",
                  .port = 8000,
                  .health_path = "/",
                  .task_definition = formats::parse_json(kTask)};
  EnvironmentNeed staging{.name = "staging", .cluster = "shop", .services = {web}};
  return {.account = "123456789012",
          .region = "us-east-1",
          .role_arn = "arn:aws:iam::123456789012:role/shop-deploy",
          .subjects = {"repo:acme/shop:environment:staging"},
          .repositories = {"shop/web"},
          .environments = {staging}};
}

// The resources that the policy allows `action` on.
std::vector<std::string> allowed(const Json& policy, const std::string& action) {
  std::vector<std::string> out;
  for (const auto& statement : policy.get_array("Statement")) {
    const Json& actions = statement.at("Action");
    bool is_meant = actions.is_string()
                        ? actions.as_string() == action
                        : std::any_of(actions.as_array().begin(), actions.as_array().end(),
                                      [&](const Json& one) { return one.as_string() == action; });
    if (!is_meant) continue;
    const Json& resources = statement.at("Resource");
    if (resources.is_string()) out.push_back(resources.as_string());
    if (resources.is_array()) {
      for (const auto& one : resources.as_array()) out.push_back(one.as_string());
    }
  }
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "the workflow's role may pass the roles of its tasks to ECS, and read which secrets a release "
    "has") {
  auto needs = shop();
  auto policy = deploy_policy(needs);
  CHECK(allowed(policy, "iam:PassRole") == Names{"arn:aws:iam::123456789012:role/shop-execution",
                                                 "arn:aws:iam::123456789012:role/shop-task"});
  CHECK(policy.dump().find(R"("iam:PassedToService":"ecs-tasks.amazonaws.com")") !=
        std::string::npos);
  CHECK(allowed(policy, "ecs:UpdateService") ==
        Names{"arn:aws:ecs:us-east-1:123456789012:service/shop/web"});
  CHECK(allowed(policy, "secretsmanager:GetSecretValue").empty());
  CHECK(allowed(policy, "secretsmanager:DescribeSecret").size() == 2);
  CHECK(allowed(policy, "ssm:GetParameter") ==
        Names{"arn:aws:ssm:us-east-1:123456789012:parameter/shop/flag",
              "arn:aws:ssm:us-east-1:123456789012:parameter/shop/mode"});
  CHECK(allowed(policy, "ecs:RunTask").empty());
  needs.environments[0].runs_tasks = true;
  CHECK(allowed(deploy_policy(needs), "ecs:RunTask") ==
        Names{"arn:aws:ecs:us-east-1:123456789012:task-definition/shop-staging:*"});
}

TEST_CASE(
    "an execution role may read the secrets that it has to put in, a task role may be reached by "
    "ECS Exec") {
  auto needs = shop();
  auto execution = task_policy(needs, "arn:aws:iam::123456789012:role/shop-execution");
  REQUIRE(execution);
  CHECK(allowed(*execution, "secretsmanager:GetSecretValue") ==
        Names{"arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/database-url*",
              "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/keys*"});
  CHECK(allowed(*execution, "ssm:GetParameters").size() == 2);
  CHECK(allowed(*execution, "ssmmessages:OpenDataChannel").empty());
  auto task = task_policy(needs, "arn:aws:iam::123456789012:role/shop-task");
  REQUIRE(task);
  for (const char* action : {"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
                             "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"})
    CHECK(allowed(*task, action) == Names{"*"});
  CHECK(allowed(*task, "secretsmanager:GetSecretValue").empty());
  CHECK_FALSE(task_policy(needs, "arn:aws:iam::123456789012:role/other"));
  // One role for both has both.
  needs.environments[0].services[0].task_definition["taskRoleArn"] =
      "arn:aws:iam::123456789012:role/shop-execution";
  auto both = task_policy(needs, "arn:aws:iam::123456789012:role/shop-execution");
  CHECK(allowed(*both, "ssmmessages:OpenDataChannel").size() == 1);
  CHECK(allowed(*both, "ssm:GetParameters").size() == 2);
}

TEST_CASE("a dry run changes nothing and names everything that is missing") {
  FakeCalls calls;
  calls.refuse("iam:GetOpenIDConnectProvider", "NoSuchEntity", "");
  calls.refuse("iam:GetRole", "NoSuchEntity", "");
  calls.refuse("ecr:DescribeRepositories", "RepositoryNotFoundException", "");
  calls.answer("ecs:DescribeClusters", Json::object({{"clusters", Json::array()}}));
  calls.answer("logs:DescribeLogGroups", Json::object({{"logGroups", Json::array()}}));
  calls.refuse("secretsmanager:DescribeSecret", "ResourceNotFoundException", "");
  calls.refuse("rds:DescribeDBInstances", "DBInstanceNotFound", "");
  calls.refuse("ssm:GetParameter", "ParameterNotFound", "");
  calls.refuse("elasticloadbalancing:DescribeTargetGroups", "TargetGroupNotFound", "");
  calls.refuse("elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerNotFound", "");
  calls.refuse("ecs:DescribeServices", "ClusterNotFoundException", "");
  Names missing;
  bootstrap(calls, shop(), true,
            [&](const BootstrapStep& step) {
              CHECK(step.is_new);
              missing.push_back(step.name);
            },
            {});
  CHECK(missing == Names{"token.actions.githubusercontent.com", "shop-deploy", "shop/web", "shop",
                         "shop-execution", "shop-task", "/ecs/shop", "shop", "shop/database-url",
                         "shop/keys", "/shop/flag", "/shop/mode", "shop-web", "shop-web",
                         "shop/web"});
}

TEST_CASE("a role that is there gets what it lacks, and nothing is taken from it") {
  auto needs = shop();
  Json elsewhere = trust_policy_for_github("123456789012", {"repo:acme/other:environment:staging"});
  Json trust = elsewhere;
  Json own = Json::object({{"Version", "2012-10-17"}, {"Statement", Json::array()}});
  FakeCalls calls;
  calls.on("iam:GetRole", [&](const Json&) {
    return aws::Answer(
        Json::object({{"Role", Json::object({{"AssumeRolePolicyDocument", trust.dump()}})}}));
  });
  calls.on("iam:GetRolePolicy", [&](const Json&) {
    return aws::Answer(Json::object({{"PolicyDocument", own.dump()}}));
  });
  calls.on("iam:UpdateAssumeRolePolicy", [&](const Json& input) {
    trust = formats::parse_json(input.get_string("PolicyDocument"));
    return aws::Answer(Json::object());
  });
  calls.on("iam:PutRolePolicy", [&](const Json& input) {
    own = formats::parse_json(input.get_string("PolicyDocument"));
    return aws::Answer(Json::object());
  });
  calls.answer("iam:GetOpenIDConnectProvider", Json::object());
  calls.answer("ecr:DescribeRepositories", Json::object());
  needs.environments.clear();
  auto roles = [&](bool dry_run) {
    std::vector<std::string> said;
    for (const auto& step : bootstrap(calls, needs, dry_run, {}, {})) {
      if (step.kind == "role") said.insert(said.end(), step.differs.begin(), step.differs.end());
    }
    return said;
  };
  auto lacking = roles(true);
  REQUIRE(lacking.size() == 2);
  CHECK(lacking[0] == "its trust policy does not let in repo:acme/shop:environment:staging");
  CHECK(lacking[1].starts_with("it is not allowed "));
  CHECK(trust == elsewhere);

  CHECK(roles(false).size() == 2);
  CHECK(trust.get_array("Statement").size() == 2);
  CHECK(roles(false).empty());
  // What a narrower use needs is there already.
  needs.repositories.clear();
  CHECK(roles(true).empty());
}

TEST_CASE("the Terraform text has the same rights, the database, and commands in tasks") {
  std::string text = to_terraform(shop());
  auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  CHECK(has("\"ssmmessages:OpenDataChannel\""));
  CHECK(has("\"iam:PassRole\""));
  CHECK(has("enable_execute_command = true"));
  CHECK(has("resource \"aws_ssm_parameter\" \"_shop_flag\""));
  CHECK(has("resource \"aws_db_instance\" \"shop\""));
  CHECK(has(
      "\"postgresql://app:${random_password.shop.result}@${aws_db_instance.shop.endpoint}/app\""));
  // Every resource that is referred to is there.
  for (const char* name : {"aws_ecs_cluster.shop", "aws_ecs_task_definition.shop_staging",
                           "aws_lb_target_group.shop_web", "aws_lb_listener.shop_web",
                           "aws_secretsmanager_secret.shop_database_url"}) {
    CHECK(has(name));
    std::string type(name, std::string_view(name).find('.'));
    CHECK(has(fmt::format("resource \"{}\" \"{}\"", type,
                          std::string_view(name).substr(type.size() + 1))));
  }
}
