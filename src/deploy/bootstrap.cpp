// SPDX-License-Identifier: Apache-2.0
#include "deploy/bootstrap.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"
#include "deploy/trust.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

constexpr const char* kExecutionPolicy =
    "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

class Bootstrap final {
 public:
  Bootstrap(Calls& calls, const Needs& needs, bool dry_run,
            const std::function<void(const BootstrapStep&)>& told, const std::stop_token& stop)
      : calls_(calls), needs_(needs), dry_run_(dry_run), told_(told), stop_(stop) {}

  std::vector<BootstrapStep> run() {
    provider();
    deploy_role();
    for (const auto& name : needs_.repositories) repository(name);
    for (const auto& environment : needs_.environments) {
      cluster(environment.cluster);
      for (const auto& service : environment.services) {
        task_roles(service);
        log_groups(service);
        for (const auto& secret : secrets_of(service.task_definition))
          this->secret(environment, secret);
        for (const auto& name : parameters_of(service.task_definition)) parameter(name);
      }
      for (const auto& service : environment.services) {
        std::string group = service.port > 0 ? balancer(environment, service) : "";
        ecs_service(environment, service, group);
      }
    }
    return std::move(steps_);
  }

 private:
  // Asks for something; nothing when it is not there.
  std::optional<Json> look(const std::string& service, const std::string& operation,
                           const Json& input) {
    auto answer = calls_.call(service, operation, input, stop_);
    if (answer.ok()) return answer.value();
    static const std::vector<std::string> kMissing = {"NoSuchEntity",
                                                      "NotFound",
                                                      "ResourceNotFoundException",
                                                      "RepositoryNotFoundException",
                                                      "ClusterNotFoundException",
                                                      "DBInstanceNotFound",
                                                      "ParameterNotFound",
                                                      "ServiceNotFoundException"};
    const auto& code = answer.error()->code;
    bool is_missing = std::any_of(kMissing.begin(), kMissing.end(), [&](const std::string& part) {
      return code.find(part) != std::string::npos;
    });
    if (!is_missing) (void)answer.value();  // throws with the service's words
    return std::nullopt;
  }

  Json make(const std::string& service, const std::string& operation, const Json& input) {
    return while_doing(fmt::format("{}:{}", service, operation),
                       [&] { return calls_.call(service, operation, input, stop_).value(); });
  }

  // Records the step; true when the thing has to be made now.
  bool is_missing(bool present, const std::string& kind, const std::string& name) {
    steps_.push_back({kind, name, !present});
    if (told_) told_(steps_.back());
    return !present && !dry_run_;
  }

  void provider() {
    if (needs_.role_arn.empty()) return;
    std::string arn =
        "arn:aws:iam::" + needs_.account + ":oidc-provider/token.actions.githubusercontent.com";
    bool present =
        look("iam", "GetOpenIDConnectProvider", Json::object({{"OpenIDConnectProviderArn", arn}}))
            .has_value();
    if (!is_missing(present, "OIDC provider", "token.actions.githubusercontent.com")) return;
    make("iam", "CreateOpenIDConnectProvider",
         Json::object({{"Url", "https://token.actions.githubusercontent.com"},
                       {"ClientIDList", Json::array({"sts.amazonaws.com"})}}));
  }

  void role(const std::string& arn, const Json& trust, const std::optional<Json>& policy,
            bool is_execution) {
    std::string name = last_part(arn);
    if (!roles_.insert(name).second) return;
    auto present = look("iam", "GetRole", Json::object({{"RoleName", name}}));
    if (present) return mend_role(name, present->at("Role"), trust, policy, is_execution);
    if (!is_missing(false, "role", name)) return;
    make("iam", "CreateRole",
         Json::object({{"RoleName", name}, {"AssumeRolePolicyDocument", trust.dump()}}));
    if (is_execution) attach_execution_policy(name);
    if (policy) put_policy(name, *policy);
  }

  void attach_execution_policy(const std::string& role_name) {
    make("iam", "AttachRolePolicy",
         Json::object({{"RoleName", role_name}, {"PolicyArn", kExecutionPolicy}}));
  }

  void put_policy(const std::string& role_name, const Json& policy) {
    make("iam", "PutRolePolicy",
         Json::object({{"RoleName", role_name},
                       {"PolicyName", "slipway"},
                       {"PolicyDocument", policy.dump()}}));
  }

  // Adds what a role that is there lacks. Who may not look at it is told nothing, and nothing is changed.
  void mend_role(const std::string& name, const Json& role, const Json& trust,
                 const std::optional<Json>& policy, bool is_execution) {
    BootstrapStep step{.kind = "role", .name = name};
    std::vector<std::function<void()>> mends;
    auto lacks = [&](const std::string& what, std::function<void()> mend) {
      step.differs.push_back(what);
      mends.push_back(std::move(mend));
    };
    try {
      Json present = trust_of(role);
      if (auto missing = missing_trust(present, trust); !missing.empty()) {
        lacks("its trust policy does not let in " + join(missing, ", "),
              [this, name, present, trust] {
                make("iam", "UpdateAssumeRolePolicy",
                     Json::object({{"RoleName", name},
                                   {"PolicyDocument", with_statements(present, trust).dump()}}));
              });
      }
      if (is_execution && !has_execution_policy(name))
        lacks("AmazonECSTaskExecutionRolePolicy is not attached",
              [this, name] { attach_execution_policy(name); });
      if (policy) {
        auto held = look("iam", "GetRolePolicy",
                         Json::object({{"RoleName", name}, {"PolicyName", "slipway"}}));
        Json own = held ? formats::parse_json(percent_decoded(held->get_string("PolicyDocument")),
                                              "policy 'slipway'")
                        : Json::object({{"Version", "2012-10-17"}, {"Statement", Json::array()}});
        Json missing = statements_beyond(*policy, own);
        if (!missing.get_array("Statement").empty())
          lacks("it is not allowed " + join(actions_of(missing), ", "),
                [this, name, own, missing] { put_policy(name, with_statements(own, missing)); });
      }
    } catch (const Error& error) {
      if (error.fault() != Fault::denied) throw;
    }
    steps_.push_back(step);
    if (told_) told_(steps_.back());
    if (dry_run_) return;
    for (const auto& mend : mends) mend();
  }

  // Who should be let in and is not.
  std::vector<std::string> missing_trust(const Json& present, const Json& wanted) const {
    std::vector<std::string> missing;
    const std::string tasks = "ecs-tasks.amazonaws.com";
    if (trusts_service(wanted, tasks) && !trusts_service(present, tasks)) missing.push_back(tasks);
    for (const auto& subject : needs_.subjects) {
      if (trusts_subject(wanted, subject) && !trusts_subject(present, subject))
        missing.push_back(subject);
    }
    return missing;
  }

  bool has_execution_policy(const std::string& role_name) {
    auto attached =
        look("iam", "ListAttachedRolePolicies", Json::object({{"RoleName", role_name}}));
    if (!attached) return false;
    auto list = aws::items_of(*attached, "AttachedPolicies");
    return std::any_of(list.begin(), list.end(), [](const Json& one) {
      return one.get_string("PolicyArn") == kExecutionPolicy;
    });
  }

  void deploy_role() {
    if (needs_.role_arn.empty()) return;
    role(needs_.role_arn, trust_policy_for_github(needs_.account, needs_.subjects),
         deploy_policy(needs_), false);
  }

  void task_roles(const ServiceNeed& service) {
    for (const char* key : {"executionRoleArn", "taskRoleArn"}) {
      if (auto arn = service.task_definition.get_string(key); !arn.empty())
        role(arn, trust_policy_for_tasks(), task_policy(needs_, arn),
             is_execution_role(needs_, arn));
    }
  }

  void repository(const std::string& name) {
    bool present = look("ecr", "DescribeRepositories",
                        Json::object({{"repositoryNames", Json::array({name})}}))
                       .has_value();
    if (!is_missing(present, "ECR repository", name)) return;
    make("ecr", "CreateRepository",
         Json::object({{"repositoryName", name}, {"imageTagMutability", "IMMUTABLE"}}));
  }

  void cluster(const std::string& name) {
    Json found = make("ecs", "DescribeClusters", Json::object({{"clusters", Json::array({name})}}));
    const auto& clusters = found.get_array("clusters");
    bool present = !clusters.empty() && clusters.front().get_string("status") == "ACTIVE";
    if (is_missing(present, "ECS cluster", name))
      make("ecs", "CreateCluster", Json::object({{"clusterName", name}}));
  }

  void log_groups(const ServiceNeed& service) {
    for (const auto& container : service.task_definition.get_array("containerDefinitions")) {
      const Json* log = container.find("logConfiguration");
      const Json* options = log ? log->find("options") : nullptr;
      std::string name = options ? options->get_string("awslogs-group") : "";
      if (name.empty() || !groups_.insert(name).second) continue;
      Json found = make("logs", "DescribeLogGroups", Json::object({{"logGroupNamePrefix", name}}));
      const auto& list = found.get_array("logGroups");
      bool present = std::any_of(list.begin(), list.end(), [&](const Json& group) {
        return group.get_string("logGroupName") == name;
      });
      if (!is_missing(present, "log group", name)) continue;
      make("logs", "CreateLogGroup", Json::object({{"logGroupName", name}}));
      make("logs", "PutRetentionPolicy",
           Json::object({{"logGroupName", name}, {"retentionInDays", 30}}));
    }
  }

  // A secret named …/database-url gets a PostgreSQL database of its own; any other one gets a random value, to be replaced.
  void secret(const EnvironmentNeed& environment, const std::string& arn) {
    if (!secrets_.insert(arn).second) return;
    std::string name = arn.substr(arn.find(":secret:") + 8);
    bool present =
        look("secretsmanager", "DescribeSecret", Json::object({{"SecretId", name}})).has_value();
    if (is_database_url(name)) {
      std::string database = environment.cluster;
      bool has_database =
          look("rds", "DescribeDBInstances", Json::object({{"DBInstanceIdentifier", database}}))
              .has_value();
      std::string password = hex(random_bytes(16));
      if (is_missing(has_database, "RDS PostgreSQL instance", database)) {
        make("rds", "CreateDBInstance",
             Json::object({{"DBInstanceIdentifier", database},
                           {"Engine", "postgres"},
                           {"DBInstanceClass", "db.t4g.micro"},
                           {"AllocatedStorage", 20},
                           {"MasterUsername", "app"},
                           {"MasterUserPassword", password},
                           {"DBName", "app"}}));
      } else if (!present && !dry_run_) {
        make("rds", "ModifyDBInstance",
             Json::object({{"DBInstanceIdentifier", database},
                           {"MasterUserPassword", password},
                           {"ApplyImmediately", true}}));
      }
      if (is_missing(present, "secret", name)) {
        auto [host, port] = wait_for_database(database);
        make("secretsmanager", "CreateSecret",
             Json::object({{"Name", name},
                           {"SecretString",
                            fmt::format("postgresql://app:{}@{}:{}/app", password, host, port)}}));
      }
      return;
    }
    if (is_missing(present, "secret (a random value: set the real one)", name)) {
      make("secretsmanager", "CreateSecret",
           Json::object({{"Name", name}, {"SecretString", hex(random_bytes(24))}}));
    }
  }

  void parameter(const std::string& name) {
    if (!parameters_.insert(name).second) return;
    bool present = look("ssm", "GetParameter", Json::object({{"Name", name}})).has_value();
    if (!is_missing(present, "SSM parameter (a random value: set the real one)", name)) return;
    make(
        "ssm", "PutParameter",
        Json::object({{"Name", name}, {"Type", "SecureString"}, {"Value", hex(random_bytes(24))}}));
  }

  std::pair<std::string, std::string> wait_for_database(const std::string& name) {
    auto deadline = Deadline::in(std::chrono::minutes(20));
    Guarded<int> nothing;
    while (!deadline.passed()) {
      Json answer =
          make("rds", "DescribeDBInstances", Json::object({{"DBInstanceIdentifier", name}}));
      for (const auto& item : aws::items_of(answer, "DBInstances")) {
        const Json* endpoint = item.find("Endpoint");
        if (item.get_string("DBInstanceStatus") == "available" && endpoint) {
          return {endpoint->get_string("Address"), endpoint->get_string("Port")};
        }
      }
      nothing.wait(
          stop_, Deadline::in(std::chrono::milliseconds(200)), [](int) { return false; },
          [](int) {});
      if (stop_.stop_requested()) throw Cancelled();
    }
    fail(Fault::unavailable, "the database '{}' did not become available within 20 minutes", name);
  }

  const Json& vpc() {
    if (!vpc_.is_null()) return vpc_;
    Json filter =
        Json::array({Json::object({{"Name", "default-for-az"}, {"Value", Json::array({"true"})}})});
    Json subnets = make("ec2", "DescribeSubnets", Json::object({{"Filter", filter}}));
    Json ids = Json::array();
    std::string id;
    for (const auto& subnet : aws::items_of(subnets, "subnetSet")) {
      ids.push_back(subnet.get_string("subnetId"));
      id = subnet.get_string("vpcId");
    }
    if (ids.empty())
      fail(Fault::not_found, "this account has no default VPC with subnets in {}", needs_.region);
    Json by_vpc =
        Json::array({Json::object({{"Name", "vpc-id"}, {"Value", Json::array({id})}}),
                     Json::object({{"Name", "group-name"}, {"Value", Json::array({"default"})}})});
    Json groups = make("ec2", "DescribeSecurityGroups", Json::object({{"Filter", by_vpc}}));
    Json group_ids = Json::array();
    for (const auto& group : aws::items_of(groups, "securityGroupInfo"))
      group_ids.push_back(group.get_string("groupId"));
    vpc_ = Json::object({{"id", id}, {"subnets", ids}, {"groups", group_ids}});
    return vpc_;
  }

  // A load balancer of its own for a service: internal with a private name, or facing outside. Returns the target group's ARN.
  std::string balancer(const EnvironmentNeed& environment, const ServiceNeed& service) {
    std::string name = short_name(environment.cluster + "-" + service.name);
    auto group = look("elasticloadbalancing", "DescribeTargetGroups",
                      Json::object({{"Names", Json::array({name})}}));
    if (is_missing(group.has_value(), "target group", name)) {
      group = make("elasticloadbalancing", "CreateTargetGroup",
                   Json::object({{"Name", name},
                                 {"Protocol", "HTTP"},
                                 {"Port", service.port},
                                 {"VpcId", vpc().at("id")},
                                 {"TargetType", "ip"},
                                 {"HealthCheckPath", service.health_path},
                                 {"HealthCheckIntervalSeconds", 5},
                                 {"HealthCheckTimeoutSeconds", 3},
                                 {"HealthyThresholdCount", 2},
                                 {"UnhealthyThresholdCount", 3},
                                 {"Matcher", Json::object({{"HttpCode", "200-299"}})}}));
      std::string arn = aws::items_of(*group, "TargetGroups").front().get_string("TargetGroupArn");
      make(
          "elasticloadbalancing", "ModifyTargetGroupAttributes",
          Json::object({{"TargetGroupArn", arn},
                        {"Attributes",
                         Json::array({Json::object({{"Key", "deregistration_delay.timeout_seconds"},
                                                    {"Value", "30"}})})}}));
    }
    auto found = look("elasticloadbalancing", "DescribeLoadBalancers",
                      Json::object({{"Names", Json::array({name})}}));
    bool has_balancer = found.has_value();
    bool is_internal = !service.private_name.empty();
    if (is_missing(
            has_balancer,
            is_internal ? "internal load balancer (" + service.private_name + ")" : "load balancer",
            name)) {
      Json input = Json::object({{"Name", name},
                                 {"Scheme", is_internal ? "internal" : "internet-facing"},
                                 {"Type", "application"},
                                 {"Subnets", vpc().at("subnets")},
                                 {"SecurityGroups", vpc().at("groups")}});
      if (is_internal)
        input["Tags"] = Json::array(
            {Json::object({{"Key", "slipway:dns-name"}, {"Value", service.private_name}})});
      found = make("elasticloadbalancing", "CreateLoadBalancer", input);
    }
    if (!group || !found) return "";  // a dry run
    std::string group_arn =
        aws::items_of(*group, "TargetGroups").front().get_string("TargetGroupArn");
    std::string arn = aws::items_of(*found, "LoadBalancers").front().get_string("LoadBalancerArn");
    int port = is_internal ? service.private_port : 80;
    Json listeners =
        make("elasticloadbalancing", "DescribeListeners", Json::object({{"LoadBalancerArn", arn}}));
    if (is_missing(!aws::items_of(listeners, "Listeners").empty(), "listener",
                   fmt::format("{}:{}", name, port))) {
      make("elasticloadbalancing", "CreateListener",
           Json::object(
               {{"LoadBalancerArn", arn},
                {"Protocol", "HTTP"},
                {"Port", port},
                {"DefaultActions", Json::array({Json::object(
                                       {{"Type", "forward"}, {"TargetGroupArn", group_arn}})})}}));
    }
    return group_arn;
  }

  // Names of load balancers and target groups have at most 32 characters.
  static std::string short_name(const std::string& name) {
    return name.size() <= 32 ? name
                             : name.substr(0, 25) + "-" + hex(name).substr(hex(name).size() - 6);
  }

  void ecs_service(const EnvironmentNeed& environment, const ServiceNeed& service,
                   const std::string& group) {
    bool present = false;
    if (auto found = look("ecs", "DescribeServices",
                          Json::object({{"cluster", environment.cluster},
                                        {"services", Json::array({service.name})}}))) {
      const auto& list = found->get_array("services");
      present = !list.empty() && list.front().get_string("status") == "ACTIVE";
    }
    if (!is_missing(present, "ECS service", environment.cluster + "/" + service.name)) return;
    std::string family = service.task_definition.get_string("family");
    auto known = calls_.call("ecs", "DescribeTaskDefinition",
                             Json::object({{"taskDefinition", family}}), stop_);
    if (!known.ok()) make("ecs", "RegisterTaskDefinition", service.task_definition);
    Json input =
        Json::object({{"cluster", environment.cluster},
                      {"serviceName", service.name},
                      {"taskDefinition", family},
                      {"desiredCount", 1},
                      {"launchType", "FARGATE"},
                      {"enableExecuteCommand", can_execute(service)},
                      {"networkConfiguration",
                       Json::object({{"awsvpcConfiguration",
                                      Json::object({{"subnets", vpc().at("subnets")},
                                                    {"securityGroups", vpc().at("groups")},
                                                    {"assignPublicIp", "ENABLED"}})}})},
                      {"deploymentConfiguration",
                       Json::object({{"minimumHealthyPercent", 100},
                                     {"maximumPercent", 200},
                                     {"deploymentCircuitBreaker",
                                      Json::object({{"enable", true}, {"rollback", true}})}})}});
    if (!group.empty()) {
      input["loadBalancers"] = Json::array({Json::object({{"targetGroupArn", group},
                                                          {"containerName", service.container},
                                                          {"containerPort", service.port}})});
    }
    make("ecs", "CreateService", input);
  }

  Calls& calls_;
  const Needs& needs_;
  bool dry_run_;
  const std::function<void(const BootstrapStep&)>& told_;
  const std::stop_token& stop_;
  std::vector<BootstrapStep> steps_;
  std::set<std::string> roles_;
  std::set<std::string> groups_;
  std::set<std::string> secrets_;
  std::set<std::string> parameters_;
  Json vpc_;
};

}  // namespace

std::vector<BootstrapStep> bootstrap(Calls& calls, const Needs& needs, bool dry_run,
                                     const std::function<void(const BootstrapStep&)>& told,
                                     const std::stop_token& stop) {
  return Bootstrap(calls, needs, dry_run, told, stop).run();
}

}  // namespace slipway::deploy
