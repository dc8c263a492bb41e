// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

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

// A secret's ARN ends with six characters that only AWS knows.
Json secret_arns(const std::set<std::string>& secrets) {
  Json resources = Json::array();
  for (const auto& arn : secrets) resources.push_back(arn + "*");
  return resources;
}

Json parameter_arns(const Needs& needs, const std::set<std::string>& names) {
  Json resources = Json::array();
  for (const auto& name : names) {
    resources.push_back(fmt::format("arn:aws:ssm:{}:{}:parameter{}{}", needs.region, needs.account,
                                    name.starts_with('/') ? "" : "/", name));
  }
  return resources;
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

bool is_execution_role(const Needs& needs, const std::string& role) {
  return std::any_of(
      needs.environments.begin(), needs.environments.end(), [&](const auto& environment) {
        return std::any_of(environment.services.begin(), environment.services.end(),
                           [&](const ServiceNeed& service) {
                             return service.task_definition.get_string("executionRoleArn") == role;
                           });
      });
}

bool can_execute(const ServiceNeed& service) {
  return !service.task_definition.get_string("taskRoleArn").empty();
}

std::optional<Json> task_policy(const Needs& needs, const std::string& role) {
  std::set<std::string> secrets;
  std::set<std::string> parameters;
  bool is_task_role = false;
  for (const auto& environment : needs.environments) {
    for (const auto& service : environment.services) {
      if (service.task_definition.get_string("executionRoleArn") == role) {
        secrets.merge(secrets_of(service.task_definition));
        parameters.merge(parameters_of(service.task_definition));
      }
      is_task_role = is_task_role || service.task_definition.get_string("taskRoleArn") == role;
    }
  }
  Json statements = Json::array();
  if (!secrets.empty())
    statements.push_back(statement("secretsmanager:GetSecretValue", secret_arns(secrets)));
  if (!parameters.empty())
    statements.push_back(statement("ssm:GetParameters", parameter_arns(needs, parameters)));
  if (is_task_role) {  // source: Amazon ECS developer guide, "Using ECS Exec", "Task role permissions"
    statements.push_back(
        statement(Json::array({"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
                               "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"}),
                  "*"));
  }
  if (statements.empty()) return std::nullopt;
  return document(std::move(statements));
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
  std::set<std::string> secrets;
  std::set<std::string> parameters;
  Json families = Json::array();
  for (const auto& environment : needs.environments) {
    for (const auto& service : environment.services) {
      secrets.merge(secrets_of(service.task_definition));
      parameters.merge(parameters_of(service.task_definition));
      if (environment.runs_tasks)
        families.push_back(fmt::format("arn:aws:ecs:{}:{}:task-definition/{}:*", needs.region,
                                       needs.account,
                                       service.task_definition.get_string("family")));
    }
  }
  // Which versions a release runs; their values stay closed.
  if (!secrets.empty())
    statements.push_back(statement("secretsmanager:DescribeSecret", secret_arns(secrets)));
  if (!parameters.empty())
    statements.push_back(statement("ssm:GetParameter", parameter_arns(needs, parameters)));
  if (!families.empty()) statements.push_back(statement("ecs:RunTask", families));
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

bool is_database_url(const std::string& secret_name) {
  std::string plain = replace_all(to_lower(secret_name), "_", "-");
  return plain.ends_with("database-url") || plain.ends_with("db-url");
}

std::set<std::string> parameters_of(const Json& task_definition) {
  std::set<std::string> out;
  for (const auto& container : task_definition.get_array("containerDefinitions")) {
    for (const auto& secret : container.get_array("secrets")) {
      std::string from = secret.get_string("valueFrom");
      if (from.empty() || from.find(":secretsmanager:") != std::string::npos) continue;
      auto at = from.find(":parameter/");
      out.insert(at == std::string::npos ? from : from.substr(at + 10));
    }
  }
  return out;
}

}  // namespace slipway::deploy
