// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "deploy/bootstrap.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

Json statement(Json actions, Json resources) {
  return Json::object(
      {{"Effect", "Allow"}, {"Action", std::move(actions)}, {"Resource", std::move(resources)}});
}

Json document(Json statements) {
  return Json::object({{"Version", "2012-10-17"}, {"Statement", std::move(statements)}});
}

}  // namespace

Json trust_policy_for_github(const std::string& account, const std::vector<std::string>& subjects) {
  Json subs = Json::array();
  for (const auto& subject : subjects) subs.push_back(subject);
  return document(Json::array({Json::object(
      {{"Effect", "Allow"},
       {"Principal",
        Json::object({{"Federated", "arn:aws:iam::" + account +
                                        ":oidc-provider/token.actions.githubusercontent.com"}})},
       {"Action", "sts:AssumeRoleWithWebIdentity"},
       {"Condition",
        Json::object(
            {{"StringEquals",
              Json::object({{"token.actions.githubusercontent.com:aud", "sts.amazonaws.com"},
                            {"token.actions.githubusercontent.com:sub", subs}})}})}})}));
}

Json trust_policy_for_tasks() {
  return document(Json::array(
      {Json::object({{"Effect", "Allow"},
                     {"Principal", Json::object({{"Service", "ecs-tasks.amazonaws.com"}})},
                     {"Action", "sts:AssumeRole"}})}));
}

std::optional<Json> secrets_policy(const Needs& needs, const std::string& execution_role) {
  std::set<std::string> secrets;
  for (const auto& environment : needs.environments) {
    for (const auto& service : environment.services) {
      if (service.task_definition.get_string("executionRoleArn") == execution_role)
        secrets.merge(secrets_of(service.task_definition));
    }
  }
  if (secrets.empty()) return std::nullopt;
  Json resources = Json::array();
  for (const auto& arn : secrets) resources.push_back(arn + "*");
  return document(Json::array({statement("secretsmanager:GetSecretValue", std::move(resources))}));
}

// No more than the workflow's steps call.
Json deploy_policy(const Needs& needs) {
  Json repositories = Json::array();
  for (const auto& name : needs.repositories) {
    repositories.push_back(
        fmt::format("arn:aws:ecr:{}:{}:repository/{}", needs.region, needs.account, name));
  }
  Json services = Json::array();
  std::set<std::string> roles;
  Json groups = Json::array();
  for (const auto& environment : needs.environments) {
    for (const auto& service : environment.services) {
      services.push_back(fmt::format("arn:aws:ecs:{}:{}:service/{}/{}", needs.region, needs.account,
                                     environment.cluster, service.name));
      for (const char* key : {"executionRoleArn", "taskRoleArn"}) {
        if (auto role = service.task_definition.get_string(key); !role.empty()) roles.insert(role);
      }
      for (const auto& container : service.task_definition.get_array("containerDefinitions")) {
        const Json* log = container.find("logConfiguration");
        const Json* options = log ? log->find("options") : nullptr;
        if (options && !options->get_string("awslogs-group").empty()) {
          groups.push_back(fmt::format("arn:aws:logs:{}:{}:log-group:{}:*", needs.region,
                                       needs.account, options->get_string("awslogs-group")));
        }
      }
    }
  }
  Json pass = Json::array();
  for (const auto& role : roles) pass.push_back(role);
  Json statements = Json::array({
      statement("ecr:GetAuthorizationToken", "*"),
      statement(Json::array({"ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition",
                             "ecs:ListTasks", "ecs:DescribeTasks"}),
                "*"),
  });
  if (!repositories.empty()) {
    statements.push_back(
        statement(Json::array({"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
                               "ecr:CompleteLayerUpload", "ecr:DescribeImages",
                               "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload",
                               "ecr:ListImages", "ecr:PutImage", "ecr:UploadLayerPart"}),
                  repositories));
  }
  if (!services.empty()) {
    statements.push_back(
        statement(Json::array({"ecs:DescribeServices", "ecs:UpdateService",
                               "ecs:ListServiceDeployments", "ecs:DescribeServiceDeployments"}),
                  services));
  }
  if (!groups.empty())
    statements.push_back(
        statement(Json::array({"logs:GetLogEvents", "logs:FilterLogEvents"}), groups));
  Json secrets = Json::array();
  for (const auto& environment : needs.environments) {
    for (const auto& service : environment.services) {
      for (const auto& arn : secrets_of(service.task_definition)) secrets.push_back(arn + "*");
    }
  }
  if (!secrets.empty())
    statements.push_back(
        statement("secretsmanager:DescribeSecret", secrets));  // which version a release runs
  if (!pass.empty()) {
    Json allow = statement("iam:PassRole", pass);
    allow["Condition"] = Json::object(
        {{"StringEquals", Json::object({{"iam:PassedToService", "ecs-tasks.amazonaws.com"}})}});
    statements.push_back(std::move(allow));
  }
  return document(std::move(statements));
}

std::set<std::string> secrets_of(const Json& task_definition) {
  std::set<std::string> out;
  for (const auto& container : task_definition.get_array("containerDefinitions")) {
    for (const auto& secret : container.get_array("secrets")) {
      std::string from = secret.get_string("valueFrom");
      if (from.find(":secretsmanager:") == std::string::npos) continue;
      auto parts = split(from, ':');  // arn:aws:secretsmanager:R:A:secret:NAME[:key:stage:version]
      if (parts.size() > 7) parts.resize(7);
      out.insert(join(parts, ":"));
    }
  }
  return out;
}

}  // namespace slipway::deploy
