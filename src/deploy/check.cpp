// SPDX-License-Identifier: Apache-2.0
#include "deploy/check.hpp"

#include <set>

#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "deploy/ecr_image.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"
#include "deploy/trust.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

class Checker final {
 public:
  Checker(Calls& calls, const Needs& needs, const std::stop_token& stop)
      : calls_(calls), needs_(needs), stop_(stop) {}

  std::vector<Finding> run(const std::vector<Candidate>& candidates) {
    guarded("credentials", [&] { identity(); });
    guarded("the workflow's role", [&] { deploy_role(); });
    std::set<std::string> clusters;
    for (const auto& candidate : candidates) {
      if (clusters.insert(candidate.cluster).second)
        guarded("cluster " + candidate.cluster, [&] { cluster(candidate.cluster); });
    }
    for (const auto& candidate : candidates) service(candidate);
    guarded("lifecycle policies", [&] { add(check_lifecycle(calls_, candidates, stop_)); });
    guarded("quota", [&] { add(check_quota(calls_, candidates, stop_)); });
    guarded("rights", [&] { add(check_rights(calls_, needs_, candidates, stop_)); });
    return std::move(findings_);
  }

 private:
  void ok(const std::string& what) { findings_.push_back({Finding::State::ok, what, "", ""}); }
  void bad(const std::string& what, const std::string& message, const std::string& mend) {
    findings_.push_back({Finding::State::missing, what, message, mend});
  }

  void add(std::vector<Finding> found) {
    std::move(found.begin(), found.end(), std::back_inserter(findings_));
  }

  // A call that is refused tells nothing about the thing itself.
  void guarded(const std::string& what, const std::function<void()>& look) {
    try {
      look();
    } catch (const Error& error) {
      if (error.fault() == Fault::unavailable) throw;
      findings_.push_back(
          {Finding::State::skipped, what, error.what(),
           error.fault() == Fault::denied ? "give this user the right to look" : ""});
    }
  }

  void identity() {
    auto answer = calls_.call("sts", "GetCallerIdentity", Json::object(), stop_);
    if (const auto* error = answer.error())
      return bad("credentials", error->message, "log in to AWS again");
    std::string account = answer.value().get_string("Account");
    if (!needs_.account.empty() && account != needs_.account) {
      return bad("credentials",
                 fmt::format("they are of account {}, the workflow deploys to {}", account,
                             needs_.account),
                 "use the other account's");
    }
    ok("credentials: " + answer.value().get_string("Arn"));
  }

  std::optional<Json> role(const std::string& arn) {
    auto answer =
        calls_.call("iam", "GetRole", Json::object({{"RoleName", last_part(arn)}}), stop_);
    if (const auto* error = answer.error(); error && error->code == "NoSuchEntity")
      return std::nullopt;
    return answer.value().at("Role");
  }

  void deploy_role() {
    if (needs_.role_arn.empty()) return;
    std::string what = "role " + last_part(needs_.role_arn);
    auto found = role(needs_.role_arn);
    if (!found) return bad(what, "it does not exist", "slipway bootstrap");
    Json trust = trust_of(*found);
    for (const auto& subject : needs_.subjects) {
      if (!trusts_subject(trust, subject)) {
        bad(what, fmt::format("its trust policy does not let {} in", subject),
            "slipway bootstrap, or add it to token.actions.githubusercontent.com:sub");
      } else {
        ok(what + " trusts " + subject);
      }
    }
  }

  void cluster(const std::string& name) {
    Json answer = calls_
                      .call("ecs", "DescribeClusters",
                            Json::object({{"clusters", Json::array({name})}}), stop_)
                      .value();
    const auto& list = answer.get_array("clusters");
    if (list.empty() || list.front().get_string("status") != "ACTIVE")
      return bad("cluster " + name, "it does not exist", "slipway bootstrap");
    ok("cluster " + name);
  }

  void service(const Candidate& candidate) {
    for (auto& finding : check_definition(candidate.service, candidate.definition))
      findings_.push_back(std::move(finding));
    guarded(candidate.service + ": service", [&] { ecs_service(candidate); });
    for (const char* key : {"executionRoleArn", "taskRoleArn"}) {
      std::string arn = candidate.definition.get_string(key);
      if (!arn.empty())
        guarded(candidate.service + ": " + key, [&] { task_role(candidate, key, arn); });
    }
    for (const auto& missing : candidate.missing) {
      bad(candidate.service + ": image of " + missing.container, missing.message, "");
    }
    for (const auto& image : candidate.images) {
      if (!image.digest.empty())
        ok(fmt::format("{}: image {} is {}", candidate.service, image.reference,
                       image.digest.substr(0, 19)));
    }
    std::set<std::string> groups;
    for (const auto& container : candidate.definition.get_array("containerDefinitions")) {
      for (const auto& item : container.get_array("secrets")) {
        guarded(candidate.service + ": secret " + item.get_string("name"),
                [&] { secret(candidate, item); });
      }
      const Json* log = container.find("logConfiguration");
      const Json* options = log ? log->find("options") : nullptr;
      std::string group = options ? options->get_string("awslogs-group") : "";
      if (!group.empty() && options->get_string("awslogs-create-group") != "true" &&
          groups.insert(group).second) {
        guarded(candidate.service + ": log group " + group, [&] { log_group(candidate, group); });
      }
    }
  }

  void task_role(const Candidate& candidate, const std::string& key, const std::string& arn) {
    std::string what = fmt::format("{}: {} {}", candidate.service, key, last_part(arn));
    auto found = role(arn);
    if (!found) return bad(what, "it does not exist", "slipway bootstrap");
    Json trust = trust_of(*found);
    if (trusts_service(trust, "ecs-tasks.amazonaws.com")) return ok(what);
    bad(what, "its trust policy does not let ecs-tasks.amazonaws.com take it",
        "slipway bootstrap, or allow sts:AssumeRole to the service ecs-tasks.amazonaws.com");
  }

  void secret(const Candidate& candidate, const Json& item) {
    std::string from = item.get_string("valueFrom");
    std::string what = fmt::format("{}: secret {}", candidate.service, item.get_string("name"));
    if (from.find(":secretsmanager:") == std::string::npos) {
      std::string name = from.find(":parameter/") == std::string::npos
                             ? from
                             : from.substr(from.find(":parameter/") + 10);
      auto answer = calls_.call("ssm", "GetParameter",
                                Json::object({{"Name", name}, {"WithDecryption", true}}), stop_);
      if (const auto* error = answer.error(); error && error->code == "ParameterNotFound")
        return bad(what, fmt::format("there is no parameter {}", name),
                   "slipway bootstrap, or aws ssm put-parameter");
      (void)answer.value();
      return ok(what);
    }
    auto parts = split(from, ':');
    if (parts.size() != 7 && parts.size() != 10)
      return bad(
          what, fmt::format("'{}' is not a secret's ARN, with or without :key:stage:version", from),
          "");
    std::string key = parts.size() == 10 ? parts[7] : "";
    parts.resize(7);
    auto answer = calls_.call("secretsmanager", "GetSecretValue",
                              Json::object({{"SecretId", join(parts, ":")}}), stop_);
    if (const auto* error = answer.error(); error && error->code == "ResourceNotFoundException") {
      return bad(what, fmt::format("there is no secret {}, or it has no value", parts[6]),
                 "slipway bootstrap, or aws secretsmanager create-secret");
    }
    const Json& value = answer.value();
    if (!key.empty()) {
      Json inside;
      try {
        inside = formats::parse_json(value.get_string("SecretString"), "");
      } catch (const Error&) {
        return bad(what, fmt::format("secret {} is not JSON, so it has no key '{}'", parts[6], key),
                   "");
      }
      if (!inside.contains(key))
        return bad(what, fmt::format("secret {} has no key '{}'", parts[6], key),
                   "add the key, or name another one in valueFrom");
    }
    ok(what);
  }

  void log_group(const Candidate& candidate, const std::string& name) {
    std::string what = fmt::format("{}: log group {}", candidate.service, name);
    Json answer =
        calls_
            .call("logs", "DescribeLogGroups", Json::object({{"logGroupNamePrefix", name}}), stop_)
            .value();
    for (const auto& group : answer.get_array("logGroups")) {
      if (group.get_string("logGroupName") == name) return ok(what);
    }
    bad(what, "it does not exist",
        "slipway bootstrap, or the option awslogs-create-group: \"true\"");
  }

  void ecs_service(const Candidate& candidate) {
    std::string what = candidate.service + ": service";
    auto answer = calls_.call("ecs", "DescribeServices",
                              Json::object({{"cluster", candidate.cluster},
                                            {"services", Json::array({candidate.service})}}),
                              stop_);
    if (!answer.ok() || answer.value().get_array("services").empty() ||
        answer.value().get_array("services").front().get_string("status") != "ACTIVE") {
      return bad(what,
                 fmt::format("cluster {} has no active service of that name", candidate.cluster),
                 "slipway bootstrap");
    }
    Json service = answer.value().get_array("services").front();
    ok(what);
    const Json* network = service.find("networkConfiguration");
    const Json* vpc = network ? network->find("awsvpcConfiguration") : nullptr;
    if (vpc) {
      guarded(candidate.service + ": network",
              [&] { add(check_network(calls_, candidate.service, *vpc, stop_)); });
    }
    for (const auto& balancer : service.get_array("loadBalancers")) {
      guarded(candidate.service + ": target group", [&] { target_group(candidate, balancer); });
    }
  }

  void target_group(const Candidate& candidate, const Json& balancer) {
    std::string container = balancer.get_string("containerName");
    auto port = balancer.get_int("containerPort");
    std::string what =
        fmt::format("{}: target group for {}:{}", candidate.service, container, port);
    bool has_port = false;
    for (const auto& item : candidate.definition.get_array("containerDefinitions")) {
      if (item.get_string("name") != container) continue;
      for (const auto& mapping : item.get_array("portMappings"))
        has_port = has_port || mapping.get_int("containerPort") == port;
    }
    if (!has_port)
      bad(what,
          fmt::format("the task definition has no container '{}' with port {}", container, port),
          "add the port mapping, or change the service");
    auto answer = calls_.call(
        "elasticloadbalancing", "DescribeTargetGroups",
        Json::object({{"TargetGroupArns", Json::array({balancer.at("targetGroupArn")})}}), stop_);
    if (const auto* error = answer.error()) return bad(what, error->message, "");
    for (const auto& group : aws::items_of(answer.value(), "TargetGroups")) {
      std::string check = group.get_string("HealthCheckPort");
      if (check != "traffic-port" && !check.empty() && check != std::to_string(port)) {
        bad(what, fmt::format("it asks port {} for health, the container has {}", check, port),
            "set the health check's port to traffic-port");
        has_port = false;
      }
      if (has_port)
        ok(fmt::format("{}, health check {}", what, group.get_string("HealthCheckPath")));
    }
  }

  Calls& calls_;
  const Needs& needs_;
  const std::stop_token& stop_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_environment(Calls& calls, const Needs& needs,
                                       const std::vector<Candidate>& candidates,
                                       const std::stop_token& stop) {
  return Checker(calls, needs, stop).run(candidates);
}

}  // namespace slipway::deploy
