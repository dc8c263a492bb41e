// SPDX-License-Identifier: Apache-2.0
#include "deploy/terraform.hpp"

#include <set>
#include <variant>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

std::string label(const std::string& name) {
  std::string out;
  for (char c : to_lower(name)) out += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  return !out.empty() && out.front() >= '0' && out.front() <= '9' ? "_" + out : out;
}

// A string literal: HCL's escapes are JSON's, and templates are kept from being templates.
std::string quoted(const std::string& text) {
  return replace_all(replace_all(formats::json_quote(text), "${", "$${"), "%{", "%%{");
}

// JSON as an HCL expression, indented as terraform fmt does.
std::string expression(const Json& value, int depth) {
  std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
  if (value.is_string()) return quoted(value.as_string());
  if (value.is_array()) {
    if (value.empty()) return "[]";
    std::string out = "[\n";
    for (const auto& item : value.as_array())
      out += pad + "  " + expression(item, depth + 1) + ",\n";
    return out + pad + "]";
  }
  if (!value.is_object()) return value.dump();
  if (value.empty()) return "{}";
  std::size_t widest = 0;
  std::string out = "{\n";
  // fmt aligns the equals signs of neighbours that are on one line each.
  const auto& members = value.as_object();
  for (std::size_t at = 0; at < members.size(); ++at) {
    auto is_short = [&](std::size_t index) {
      return expression(members[index].second, 0).find('\n') == std::string::npos;
    };
    if (at == 0 || !is_short(at) || !is_short(at - 1)) {
      widest = quoted(members[at].first).size();
      for (std::size_t next = at + 1; is_short(at) && next < members.size() && is_short(next);
           ++next)
        widest = std::max(widest, quoted(members[next].first).size());
    }
    std::string key = quoted(members[at].first);
    key.resize(std::max(widest, key.size()), ' ');
    out += pad + "  " + key + " = " + expression(members[at].second, depth + 1) + "\n";
  }
  return out + pad + "}";
}

// A block: arguments are expressions as text, nested blocks are texts of their own.
class Block final {
 public:
  explicit Block(std::string head) : head_(std::move(head)) {}
  Block& set(const std::string& key, const std::string& value) {
    arguments_.emplace_back(key, value);
    return *this;
  }
  Block& text(const std::string& key, const std::string& value) { return set(key, quoted(value)); }
  Block& nested(const Block& block) {
    nested_.push_back(block.print(1));
    return *this;
  }
  [[nodiscard]] std::string print(int depth = 0) const {
    std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
    std::size_t widest = 0;
    for (const auto& [key, value] : arguments_) {
      if (value.find('\n') == std::string::npos) widest = std::max(widest, key.size());
    }
    std::string out = pad + head_ + " {\n";
    std::string long_ones;
    for (const auto& [key, value] : arguments_) {
      bool is_long = value.find('\n') != std::string::npos;
      std::string padded = key;
      if (!is_long) padded.resize(widest, ' ');
      (is_long ? long_ones : out) += (is_long && (!long_ones.empty() || widest > 0) ? "\n" : "") +
                                     pad + "  " + padded + " = " + value + "\n";
    }
    out += long_ones;
    for (const auto& block : nested_) out += "\n" + block;
    return out + pad + "}\n";
  }

 private:
  std::string head_;
  std::vector<std::pair<std::string, std::string>> arguments_;
  std::vector<std::string> nested_;
};

Block resource(const std::string& type, const std::string& name) {
  return Block(fmt::format("resource \"{}\" \"{}\"", type, label(name)));
}

std::string json(const Json& document) { return "jsonencode(" + expression(document, 1) + ")"; }

class Writer final {
 public:
  explicit Writer(const Needs& needs) : needs_(needs) {}

  std::string run() {
    out_ =
        "# What the workflows of this repository need of AWS; made by: slipway bootstrap "
        "--terraform\n";
    add(Block("terraform")
            .nested(
                Block("required_providers")
                    .set("aws",
                         "{\n      source  = \"hashicorp/aws\"\n      version = \">= 5.0\"\n    }")
                    .set("random",
                         "{\n      source  = \"hashicorp/random\"\n      version = \">= 3.0\"\n    "
                         "}")));
    add(Block("provider \"aws\"")
            .text("region", needs_.region)
            .set("allowed_account_ids", "[" + quoted(needs_.account) + "]"));
    network();
    deploy_role();
    for (const auto& name : needs_.repositories) repository(name);
    for (const auto& environment : needs_.environments) {
      if (clusters_.insert(environment.cluster).second)
        add(resource("aws_ecs_cluster", environment.cluster).text("name", environment.cluster));
      for (const auto& service : environment.services) this->service(environment, service);
    }
    return out_;
  }

 private:
  void add(const Block& block) { out_ += "\n" + block.print(); }

  void network() {
    add(Block("data \"aws_vpc\" \"default\"").set("default", "true"));
    add(Block("data \"aws_subnets\" \"default\"")
            .nested(
                Block("filter").text("name", "vpc-id").set("values", "[data.aws_vpc.default.id]")));
    add(Block("data \"aws_security_group\" \"default\"")
            .text("name", "default")
            .set("vpc_id", "data.aws_vpc.default.id"));
  }

  void deploy_role() {
    if (needs_.role_arn.empty()) return;
    add(resource("aws_iam_openid_connect_provider", "github")
            .text("url", "https://token.actions.githubusercontent.com")
            .set("client_id_list", "[\"sts.amazonaws.com\"]"));
    role(needs_.role_arn, trust_policy_for_github(needs_.account, needs_.subjects),
         deploy_policy(needs_), false);
  }

  void role(const std::string& arn, const Json& trust, const std::optional<Json>& policy,
            bool is_execution) {
    std::string name = last_part(arn);
    if (!roles_.insert(name).second) return;
    add(resource("aws_iam_role", name).text("name", name).set("assume_role_policy", json(trust)));
    if (is_execution) {
      add(resource("aws_iam_role_policy_attachment", name)
              .set("role", fmt::format("aws_iam_role.{}.name", label(name)))
              .text("policy_arn",
                    "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"));
    }
    if (policy) {
      add(resource("aws_iam_role_policy", name)
              .text("name", "slipway")
              .set("role", fmt::format("aws_iam_role.{}.id", label(name)))
              .set("policy", json(*policy)));
    }
  }

  void repository(const std::string& name) {
    add(resource("aws_ecr_repository", name)
            .text("name", name)
            .text("image_tag_mutability", "IMMUTABLE"));
  }

  void task_roles(const ServiceNeed& service) {
    for (const char* key : {"executionRoleArn", "taskRoleArn"}) {
      if (auto arn = service.task_definition.get_string(key); !arn.empty())
        role(arn, trust_policy_for_tasks(), task_policy(needs_, arn),
             is_execution_role(needs_, arn));
    }
  }

  void service(const EnvironmentNeed& environment, const ServiceNeed& service) {
    task_roles(service);
    for (const auto& container : service.task_definition.get_array("containerDefinitions")) {
      const Json* log = container.find("logConfiguration");
      const Json* options = log ? log->find("options") : nullptr;
      std::string group = options ? options->get_string("awslogs-group") : "";
      if (!group.empty() && groups_.insert(group).second)
        add(resource("aws_cloudwatch_log_group", group)
                .text("name", group)
                .set("retention_in_days", "30"));
    }
    for (const auto& arn : secrets_of(service.task_definition)) {
      std::string name = arn.substr(arn.find(":secret:") + 8);
      if (!secrets_.insert(name).second) continue;
      add(resource("aws_secretsmanager_secret", name).text("name", name));
      if (is_database_url(name)) database(environment.cluster, name);
    }
    for (const auto& name : parameters_of(service.task_definition)) {
      if (!parameters_.insert(name).second) continue;
      add(resource("aws_ssm_parameter", name)
              .text("name", name)
              .text("type", "SecureString")
              .text("value", "set the real one")
              .nested(Block("lifecycle").set("ignore_changes", "[value]")));
    }
    std::string name = environment.cluster + "-" + service.name;
    if (service.port > 0) balancer(name, service);
    std::string family = service.task_definition.get_string("family");
    Block definition = resource("aws_ecs_task_definition", family);
    definition.text("family", family);
    static const std::vector<std::pair<const char*, const char*>> kTexts = {
        {"networkMode", "network_mode"},
        {"cpu", "cpu"},
        {"memory", "memory"},
        {"executionRoleArn", "execution_role_arn"},
        {"taskRoleArn", "task_role_arn"}};
    for (const auto& [key, argument] : kTexts) {
      const Json* value = service.task_definition.find(key);
      if (value) definition.text(argument, value->is_string() ? value->as_string() : value->dump());
    }
    definition.set("requires_compatibilities", "[\"FARGATE\"]");
    definition.set("container_definitions",
                   json(service.task_definition.at("containerDefinitions")));
    definition.nested(Block("lifecycle").set("ignore_changes", "[container_definitions]"));
    add(definition);
    Block block = resource("aws_ecs_service", name);
    block.text("name", service.name)
        .set("cluster", fmt::format("aws_ecs_cluster.{}.id", label(environment.cluster)))
        .set("task_definition", fmt::format("aws_ecs_task_definition.{}.arn", label(family)))
        .set("desired_count", "1")
        .text("launch_type", "FARGATE");
    if (can_execute(service)) block.set("enable_execute_command", "true");
    block.nested(Block("network_configuration")
                     .set("subnets", "data.aws_subnets.default.ids")
                     .set("security_groups", "[data.aws_security_group.default.id]")
                     .set("assign_public_ip", "true"));
    block.nested(Block("deployment_circuit_breaker").set("enable", "true").set("rollback", "true"));
    if (service.port > 0) {
      block.nested(
          Block("load_balancer")
              .set("target_group_arn", fmt::format("aws_lb_target_group.{}.arn", label(name)))
              .text("container_name", service.container)
              .set("container_port", std::to_string(service.port)));
      block.set("depends_on", fmt::format("[aws_lb_listener.{}]", label(name)));
    }
    // Releases are slipway's from here on.
    block.nested(Block("lifecycle").set("ignore_changes", "[task_definition, desired_count]"));
    add(block);
  }

  // The database whose address and password the secret holds.
  void database(const std::string& name, const std::string& secret) {
    if (databases_.insert(name).second) {
      add(resource("random_password", name).set("length", "32").set("special", "false"));
      add(resource("aws_db_instance", name)
              .text("identifier", name)
              .text("engine", "postgres")
              .text("instance_class", "db.t4g.micro")
              .set("allocated_storage", "20")
              .text("db_name", "app")
              .text("username", "app")
              .set("password", fmt::format("random_password.{}.result", label(name)))
              .set("vpc_security_group_ids", "[data.aws_security_group.default.id]")
              .text("final_snapshot_identifier", name + "-final"));
    }
    add(resource("aws_secretsmanager_secret_version", secret)
            .set("secret_id", fmt::format("aws_secretsmanager_secret.{}.id", label(secret)))
            .set("secret_string", fmt::format("\"postgresql://app:${{random_password.{0}.result}}@"
                                              "${{aws_db_instance.{0}.endpoint}}/app\"",
                                              label(name))));
  }

  void balancer(const std::string& name, const ServiceNeed& service) {
    std::string short_name = name.substr(0, 32);
    add(resource("aws_lb_target_group", name)
            .text("name", short_name)
            .text("protocol", "HTTP")
            .set("port", std::to_string(service.port))
            .set("vpc_id", "data.aws_vpc.default.id")
            .text("target_type", "ip")
            .set("deregistration_delay", "30")
            .nested(Block("health_check")
                        .text("path", service.health_path)
                        .set("interval", "5")
                        .set("timeout", "3")
                        .set("healthy_threshold", "2")
                        .set("unhealthy_threshold", "3")
                        .text("matcher", "200-299")));
    bool is_internal = !service.private_name.empty();
    add(resource("aws_lb", name)
            .text("name", short_name)
            .set("internal", is_internal ? "true" : "false")
            .text("load_balancer_type", "application")
            .set("subnets", "data.aws_subnets.default.ids")
            .set("security_groups", "[data.aws_security_group.default.id]"));
    add(resource("aws_lb_listener", name)
            .set("load_balancer_arn", fmt::format("aws_lb.{}.arn", label(name)))
            .text("protocol", "HTTP")
            .set("port", std::to_string(is_internal ? service.private_port : 80))
            .nested(Block("default_action")
                        .text("type", "forward")
                        .set("target_group_arn",
                             fmt::format("aws_lb_target_group.{}.arn", label(name)))));
  }

  const Needs& needs_;
  std::string out_;
  std::set<std::string> clusters_;
  std::set<std::string> roles_;
  std::set<std::string> groups_;
  std::set<std::string> secrets_;
  std::set<std::string> parameters_;
  std::set<std::string> databases_;
};

}  // namespace

std::string to_terraform(const Needs& needs) { return Writer(needs).run(); }

}  // namespace slipway::deploy
