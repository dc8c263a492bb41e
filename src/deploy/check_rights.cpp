// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "deploy/check.hpp"
#include "deploy/task_definition.hpp"

// What bootstrap would give a role is what a deployment needs of it: the same documents are asked about here.
namespace slipway::deploy {
namespace {

using formats::Json;

std::vector<std::string> texts(const Json& value) {
  if (value.is_string()) return {value.as_string()};
  std::vector<std::string> out;
  for (const auto& item : value.as_array()) out.push_back(item.as_string());
  return out;
}

// A resource that the pattern of a policy's statement stands for.
std::string example_of(const std::string& pattern) {
  return pattern == "*" ? pattern : replace_all(pattern, "*", "x");
}

// What AmazonECSTaskExecutionRolePolicy allows.
Json execution_policy() {
  return Json::object(
      {{"Statement", Json::array({Json::object(
                         {{"Action", Json::array({"ecr:GetAuthorizationToken", "ecr:BatchGetImage",
                                                  "ecr:GetDownloadUrlForLayer",
                                                  "logs:CreateLogStream", "logs:PutLogEvents"})},
                          {"Resource", "*"}})})}});
}

class RightsCheck final {
 public:
  RightsCheck(Calls& calls, const Needs& needs, const std::vector<Candidate>& candidates,
              const std::stop_token& stop)
      : calls_(calls), needs_(needs), stop_(stop) {
    needs_.environments.clear();  // only what is released now
    for (const auto& candidate : candidates) {
      ServiceNeed service;
      service.name = candidate.service;
      service.task_definition = candidate.definition;
      EnvironmentNeed environment{.name = candidate.environment,
                                  .cluster = candidate.cluster,
                                  .services = {std::move(service)}};
      needs_.environments.push_back(std::move(environment));
    }
  }

  std::vector<Finding> run() {
    if (!needs_.role_arn.empty()) role(needs_.role_arn, {deploy_policy(needs_)});
    std::set<std::string> done;
    for (const auto& environment : needs_.environments) {
      auto arn = environment.services.front().task_definition.get_string("executionRoleArn");
      if (arn.empty() || !done.insert(arn).second) continue;
      std::vector<Json> policies = {execution_policy()};
      if (auto own = task_policy(needs_, arn)) policies.push_back(*own);
      role(arn, policies);
    }
    return std::move(findings_);
  }

 private:
  void role(const std::string& arn, const std::vector<Json>& policies) {
    std::string what = fmt::format("rights of role {}", last_part(arn));
    std::size_t count = 0;
    std::map<std::string, std::vector<std::string>> missing;  // resource → actions
    for (const auto& policy : policies) {
      for (const auto& statement : policy.get_array("Statement")) {
        auto actions = texts(statement.at("Action"));
        count += actions.size();
        if (!simulate(what, arn, actions, statement, missing)) return;
      }
    }
    if (missing.empty()) {
      findings_.push_back(
          {Finding::State::ok, fmt::format("{}: all {} calls are allowed", what, count), "", ""});
    }
    for (const auto& [resource, actions] : missing) {
      findings_.push_back({Finding::State::missing, what,
                           fmt::format("it may not {} on {}", join(actions, ", "), resource),
                           "allow it; slipway bootstrap --terraform prints the whole policy"});
    }
  }

  // False when it cannot be told, which is noted.
  bool simulate(const std::string& what, const std::string& arn,
                const std::vector<std::string>& actions, const Json& statement,
                std::map<std::string, std::vector<std::string>>& missing) {
    Json resources = Json::array();
    for (const auto& pattern : texts(statement.at("Resource")))
      resources.push_back(example_of(pattern));
    Json names = Json::array();
    for (const auto& action : actions) names.push_back(action);
    Json input = Json::object(
        {{"PolicySourceArn", arn}, {"ActionNames", names}, {"ResourceArns", resources}});
    if (actions == std::vector<std::string>{"iam:PassRole"}) {
      input["ContextEntries"] =
          Json::array({Json::object({{"ContextKeyName", "iam:PassedToService"},
                                     {"ContextKeyValues", Json::array({"ecs-tasks.amazonaws.com"})},
                                     {"ContextKeyType", "string"}})});
    }
    auto answer = calls_.call("iam", "SimulatePrincipalPolicy", input, stop_);
    if (const auto* error = answer.error()) {
      if (error->code != "NoSuchEntity") {  // that the role is missing is told elsewhere
        findings_.push_back({Finding::State::skipped, what,
                             fmt::format("{}: {}", error->code, error->message),
                             "give this user iam:SimulatePrincipalPolicy"});
      }
      return false;
    }
    for (const auto& result : aws::items_of(answer.value(), "EvaluationResults")) {
      if (result.get_string("EvalDecision") != "allowed")
        missing[result.get_string("EvalResourceName")].push_back(
            result.get_string("EvalActionName"));
    }
    return true;
  }

  Calls& calls_;
  Needs needs_;
  const std::stop_token& stop_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_rights(Calls& calls, const Needs& needs,
                                  const std::vector<Candidate>& candidates,
                                  const std::stop_token& stop) {
  return RightsCheck(calls, needs, candidates, stop).run();
}

}  // namespace slipway::deploy
