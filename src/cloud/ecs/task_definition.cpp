// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/task_definition.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecs/volumes.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::ecs {
namespace {

using formats::Json;

[[noreturn]] void wrong(const std::string& message) { throw Refusal("ClientException", message); }

// The members that are kept, as AWS's model names them; what it does not name is dropped.
constexpr std::array kTaskMembers = {"family",
                                     "taskRoleArn",
                                     "executionRoleArn",
                                     "networkMode",
                                     "containerDefinitions",
                                     "volumes",
                                     "placementConstraints",
                                     "requiresCompatibilities",
                                     "cpu",
                                     "memory",
                                     "pidMode",
                                     "ipcMode",
                                     "proxyConfiguration",
                                     "inferenceAccelerators",
                                     "ephemeralStorage",
                                     "runtimePlatform",
                                     "enableFaultInjection"};
constexpr std::array kContainerMembers = {"name",
                                          "image",
                                          "repositoryCredentials",
                                          "cpu",
                                          "memory",
                                          "memoryReservation",
                                          "links",
                                          "portMappings",
                                          "essential",
                                          "restartPolicy",
                                          "entryPoint",
                                          "command",
                                          "environment",
                                          "environmentFiles",
                                          "mountPoints",
                                          "volumesFrom",
                                          "linuxParameters",
                                          "secrets",
                                          "dependsOn",
                                          "startTimeout",
                                          "stopTimeout",
                                          "versionConsistency",
                                          "hostname",
                                          "user",
                                          "workingDirectory",
                                          "disableNetworking",
                                          "privileged",
                                          "readonlyRootFilesystem",
                                          "dnsServers",
                                          "dnsSearchDomains",
                                          "extraHosts",
                                          "dockerSecurityOptions",
                                          "interactive",
                                          "pseudoTerminal",
                                          "dockerLabels",
                                          "ulimits",
                                          "logConfiguration",
                                          "healthCheck",
                                          "systemControls",
                                          "resourceRequirements",
                                          "firelensConfiguration",
                                          "credentialSpecs"};

bool is_fargate(const Json& task) {
  const auto& list = task.get_array("requiresCompatibilities");
  return std::any_of(list.begin(), list.end(), [](const Json& item) {
    return item.is_string() && item.as_string() == "FARGATE";
  });
}

bool is_name(const std::string& text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::optional<double> leading_number(std::string_view& text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text = trim(text);
  return value;
}

void check_fargate_pair(int cpu, int memory) {
  struct Range {
    int cpu, from, to, step;
  };
  static constexpr std::array kRanges = {
      Range{512, 1024, 4096, 1024},     Range{1024, 2048, 8192, 1024},
      Range{2048, 4096, 16384, 1024},   Range{4096, 8192, 30720, 1024},
      Range{8192, 16384, 61440, 4096},  Range{16384, 32768, 122880, 8192},
      Range{32768, 65536, 249856, 8192}};
  bool fits = cpu == 256 && (memory == 512 || memory == 1024 || memory == 2048);
  for (const auto& range : kRanges) {
    if (range.cpu == cpu)
      fits = memory >= range.from && memory <= range.to && (memory - range.from) % range.step == 0;
  }
  if (!fits)
    wrong("No Fargate configuration exists for given values: " + std::to_string(cpu) + " CPU, " +
          std::to_string(memory) +
          " memory. See the Amazon ECS documentation for the valid values.");
}

void check_sizes(Json& task, bool fargate) {
  for (const char* key : {"cpu", "memory"}) {
    const Json* value = task.find(key);
    if (!value) {
      if (fargate)
        wrong(fmt::format("Fargate requires that '{}' be defined at the task level.", key));
      continue;
    }
    std::string text = value->is_string() ? value->as_string() : value->dump();
    int number = std::string_view(key) == "cpu" ? cpu_units(text) : memory_mib(text);
    if (number < 0) wrong(fmt::format("Invalid '{}' setting for task.", key));
    task[key] = std::to_string(number);
  }
  if (fargate)
    check_fargate_pair(cpu_units(task.get_string("cpu")), memory_mib(task.get_string("memory")));
}

int whole(const Json& container, const char* key) {
  const Json* value = container.find(key);
  if (!value->is_number()) {
    throw Refusal("SerializationException", fmt::format("NUMBER_VALUE expected for '{}', found {}.",
                                                        key, value->kind_name()));
  }
  return static_cast<int>(value->as_number());
}

void check_range(const Json& in, const char* key, int from, int to, std::string_view where) {
  if (!in.contains(key)) return;
  int value = whole(in, key);
  if (value < from || value > to) {
    wrong(fmt::format("{} {} must be between {} and {}, found {}.", where, key, from, to, value));
  }
}

void check_ports(const Json& container, bool awsvpc) {
  for (const auto& mapping : container.get_array("portMappings")) {
    check_range(mapping, "containerPort", 1, 65535, "Invalid port mapping: container port");
    check_range(mapping, "hostPort", 0, 65535, "Invalid port mapping: host port");
    auto host = mapping.get_int("hostPort");
    if (awsvpc && host != 0 && host != mapping.get_int("containerPort")) {
      wrong(
          "When networkMode=awsvpc, the host ports and container ports in port mappings must "
          "match.");
    }
  }
}

void check_environment(const Json& container) {
  std::set<std::string> names;
  for (const char* list : {"environment", "secrets"}) {
    std::set<std::string> here;
    for (const auto& item : container.get_array(list)) {
      std::string name = item.get_string("name");
      if (name.empty()) wrong(fmt::format("The name of an item of '{}' must not be empty.", list));
      if (std::string_view(list) == "secrets" && item.get_string("valueFrom").empty()) {
        wrong(fmt::format("The secret '{}' needs a valueFrom.", name));
      }
      here.insert(name);
    }
    for (const auto& name : here) {
      if (!names.insert(name).second) {
        wrong(
            "The secret name must be unique and not shared with any new or existing environment "
            "variables set on the container, such as '" +
            name + "'.");
      }
    }
  }
}

void check_health(const Json& container) {
  const Json* health = container.find("healthCheck");
  if (!health) return;
  if (health->get_array("command").empty()) wrong("The health check's command must not be empty.");
  check_range(*health, "interval", 5, 300, "Health check");
  check_range(*health, "timeout", 2, 60, "Health check");
  check_range(*health, "retries", 1, 10, "Health check");
  check_range(*health, "startPeriod", 0, 300, "Health check");
}

void check_log(const Json& container, bool fargate) {
  const Json* log = container.find("logConfiguration");
  if (!log) return;
  std::string driver = log->get_string("logDriver");
  static constexpr std::array kFargate = {"awslogs", "splunk", "awsfirelens"};
  static constexpr std::array kAll = {"json-file", "syslog",  "journald", "gelf",
                                      "fluentd",   "awslogs", "splunk",   "awsfirelens"};
  bool known = fargate ? std::find(kFargate.begin(), kFargate.end(), driver) != kFargate.end()
                       : std::find(kAll.begin(), kAll.end(), driver) != kAll.end();
  if (!known)
    wrong(fmt::format("Log driver '{}' is not supported{}.", driver, fargate ? " on Fargate" : ""));
  if (driver != "awslogs") return;
  const Json* options = log->find("options");
  for (const char* key : {"awslogs-group", "awslogs-region"}) {
    if (!options || options->get_string(key).empty()) {
      wrong(fmt::format(
          "Log driver awslogs requires options: awslogs-region, awslogs-group. Missing: {}.", key));
    }
  }
  if (fargate && options->get_string("awslogs-stream-prefix").empty()) {
    wrong(
        "Log driver awslogs requires the option awslogs-stream-prefix when launch type is "
        "Fargate.");
  }
}

bool needs_execution_role(const Json& container) {
  if (!container.get_array("secrets").empty() || container.contains("repositoryCredentials"))
    return true;
  const Json* log = container.find("logConfiguration");
  if (log &&
      (log->get_string("logDriver") == "awslogs" || !log->get_array("secretOptions").empty()))
    return true;
  return container.get_string("image").find(".dkr.ecr.") != std::string::npos;
}

Json normalised_container(const Json& given, bool fargate, bool awsvpc) {
  if (!given.is_object())
    throw Refusal("SerializationException", "Start of structure or map found where not expected.");
  Json container = Json::object();
  for (const char* key : kContainerMembers) {
    const Json* value = given.find(key);
    if (value && !value->is_null()) container[key] = *value;
  }
  std::string name = container.get_string("name");
  if (name.empty()) wrong("Container.name should not be null or empty.");
  if (!is_name(name, 255)) wrong("Container.name contains invalid characters.");
  if (container.get_string("image").empty()) wrong("Container.image should not be null or empty.");
  if (awsvpc && !container.get_array("links").empty())
    wrong("Links are not supported when networkMode=awsvpc.");
  if (fargate && container.get_bool("privileged"))
    wrong("Fargate does not support privileged containers.");
  check_ports(container, awsvpc);
  check_environment(container);
  check_health(container);
  check_log(container, fargate);
  if (container.contains("memory") && container.contains("memoryReservation") &&
      whole(container, "memoryReservation") > whole(container, "memory")) {
    wrong("Invalid setting for container '" + name +
          "'. The hard limit 'memory' must be greater than the soft limit 'memoryReservation'.");
  }
  if (fargate) {
    check_range(container, "stopTimeout", 0, 120, "Container");
    check_range(container, "startTimeout", 2, 120, "Container");
  }
  container["essential"] = container.get_bool("essential", true);
  if (!container.contains("cpu")) container["cpu"] = 0;
  for (const char* list :
       {"portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"}) {
    if (!container.contains(list)) container[list] = Json::Array{};
  }
  for (auto& mapping : container["portMappings"].as_array()) {
    if (awsvpc) mapping["hostPort"] = mapping.get_int("containerPort");
    if (!mapping.contains("protocol")) mapping["protocol"] = "tcp";
  }
  return container;
}

// Depth first over the dependencies; a name met again while it is still open closes a cycle.
void check_cycles(const std::map<std::string, std::vector<std::string>>& edges,
                  const std::string& at, std::set<std::string>& open, std::set<std::string>& done) {
  if (done.contains(at)) return;
  if (!open.insert(at).second)
    wrong("Container dependencies must not form a cycle; '" + at + "' is in a cyclic dependency.");
  for (const auto& next : edges.at(at)) check_cycles(edges, next, open, done);
  open.erase(at);
  done.insert(at);
}

void check_dependencies(const Json::Array& containers) {
  std::map<std::string, const Json*> by_name;
  for (const auto& container : containers) by_name[container.get_string("name")] = &container;
  std::map<std::string, std::vector<std::string>> edges;
  static const std::set<std::string> kConditions = {"START", "COMPLETE", "SUCCESS", "HEALTHY"};
  for (const auto& container : containers) {
    std::string name = container.get_string("name");
    auto& next = edges[name];
    for (const auto& dependency : container.get_array("dependsOn")) {
      std::string target = dependency.get_string("containerName");
      std::string condition = dependency.get_string("condition");
      if (!kConditions.contains(condition)) {
        wrong(
            "Container dependency condition must be one of START, COMPLETE, SUCCESS, HEALTHY, "
            "found '" +
            condition + "'.");
      }
      if (target == name) wrong("A container cannot depend on itself: '" + name + "'.");
      auto found = by_name.find(target);
      if (found == by_name.end())
        wrong("Container '" + name + "' depends on '" + target +
              "', which is not defined in the task definition.");
      if (condition == "HEALTHY" && !found->second->contains("healthCheck")) {
        wrong("Container '" + name + "' depends on '" + target +
              "' being HEALTHY, but that container has no healthCheck.");
      }
      if ((condition == "COMPLETE" || condition == "SUCCESS") &&
          found->second->get_bool("essential")) {
        wrong("A container with the dependency condition " + condition +
              " cannot be on an essential container: '" + target + "'.");
      }
      next.push_back(target);
    }
  }
  std::set<std::string> open;
  std::set<std::string> done;
  for (const auto& [name, unused] : edges) check_cycles(edges, name, open, done);
}

void check_containers(const Json& task, const Json::Array& containers, bool fargate) {
  std::set<std::string> names;
  bool has_essential = false;
  std::int64_t memory = 0;
  for (const auto& container : containers) {
    if (!names.insert(container.get_string("name")).second)
      wrong("Container names must be unique within a task definition.");
    has_essential = has_essential || container.get_bool("essential");
    memory += container.contains("memory") ? container.get_int("memory") : 0;
    if (fargate && task.get_string("executionRoleArn").empty() && needs_execution_role(container)) {
      wrong(
          "Fargate requires task definition to have execution role ARN to support ECR images, log "
          "driver awslogs or secrets (executionRoleArn).");
    }
  }
  if (!has_essential) wrong("At least one container must be marked as essential.");
  if (task.contains("memory") && memory > memory_mib(task.get_string("memory"))) {
    wrong("Invalid 'memory' setting for task: the containers ask for more than the task has.");
  }
  check_dependencies(containers);
}

}  // namespace

int cpu_units(const std::string& text) {
  std::string_view rest = trim(text);
  auto value = leading_number(rest);
  if (!value || *value <= 0) return -1;
  if (rest.empty()) return *value == static_cast<int>(*value) ? static_cast<int>(*value) : -1;
  return equals_ignoring_case(rest, "vcpu") ? static_cast<int>(*value * 1024) : -1;
}

int memory_mib(const std::string& text) {
  std::string_view rest = trim(text);
  auto value = leading_number(rest);
  if (!value || *value <= 0) return -1;
  if (rest.empty()) return *value == static_cast<int>(*value) ? static_cast<int>(*value) : -1;
  return equals_ignoring_case(rest, "gb") ? static_cast<int>(*value * 1024) : -1;
}

formats::Json normalised_task_definition(const formats::Json& input) {
  Json task = Json::object();
  for (const char* key : kTaskMembers) {
    const Json* value = input.find(key);
    if (value && !value->is_null()) task[key] = *value;
  }
  std::string family = task.get_string("family");
  if (family.empty()) wrong("Family should not be null or empty.");
  if (!is_name(family, 255)) wrong("Family contains invalid characters, or is longer than 255.");
  bool fargate = is_fargate(task);
  std::string mode = task.get_string("networkMode");
  if (fargate && mode != "awsvpc") wrong("Fargate only supports network mode 'awsvpc'.");
  check_sizes(task, fargate);
  const Json* containers = task.find("containerDefinitions");
  if (containers && !containers->is_array()) {
    throw Refusal(
        "SerializationException",
        fmt::format("containerDefinitions must be a list, found {}.", containers->kind_name()));
  }
  if (!containers || containers->empty())
    wrong("TaskDefinition must contain at least one container definition.");
  Json::Array kept;
  for (const auto& container : containers->as_array())
    kept.push_back(normalised_container(container, fargate, mode == "awsvpc"));
  check_containers(task, kept, fargate);
  task["containerDefinitions"] = std::move(kept);
  check_volumes(task, fargate);
  for (const char* list : {"volumes", "placementConstraints"}) {
    if (!task.contains(list)) task[list] = Json::Array{};
  }
  task["compatibilities"] =
      mode == "awsvpc" && fargate ? Json::array({"EC2", "FARGATE"}) : Json::array({"EC2"});
  return task;
}

}  // namespace slipway::cloud::ecs
