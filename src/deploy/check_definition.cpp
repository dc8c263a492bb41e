// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <set>

#include "base/edit_distance.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/check.hpp"

// What a task definition says that ECS would refuse, or that would go wrong later.
// source  botocore's model of RegisterTaskDefinition; ECS developer guide, "Task definition parameters for Fargate"
namespace slipway::deploy {
namespace {

using formats::Json;

constexpr std::array<std::string_view, 19> kTaskKeys = {"family",
                                                        "taskRoleArn",
                                                        "executionRoleArn",
                                                        "networkMode",
                                                        "containerDefinitions",
                                                        "volumes",
                                                        "placementConstraints",
                                                        "requiresCompatibilities",
                                                        "cpu",
                                                        "memory",
                                                        "tags",
                                                        "pidMode",
                                                        "ipcMode",
                                                        "proxyConfiguration",
                                                        "inferenceAccelerators",
                                                        "ephemeralStorage",
                                                        "runtimePlatform",
                                                        "enableFaultInjection",
                                                        "restartPolicy"};
constexpr std::array<std::string_view, 43> kContainerKeys = {"name",
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
                                                             "credentialSpecs",
                                                             "faultInjection"};

// The nearest known word, for people who mistyped it.
std::string nearest(const std::string& word, const auto& known) {
  std::string best;
  std::size_t least = 4;
  for (std::string_view candidate : known) {
    auto distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

struct Size {
  long long cpu;
  long long from;  // MiB
  long long to;
  long long step;
};
constexpr std::array<Size, 8> kSizes = {{{256, 512, 2048, 512},
                                         {512, 1024, 4096, 1024},
                                         {1024, 2048, 8192, 1024},
                                         {2048, 4096, 16384, 1024},
                                         {4096, 8192, 30720, 1024},
                                         {8192, 16384, 61440, 4096},
                                         {16384, 32768, 122880, 8192},
                                         {32768, 61440, 249856, 8192}}};

class DefinitionChecker final {
 public:
  explicit DefinitionChecker(const std::string& service) : service_(service) {}

  std::vector<Finding> run(const Json& definition) {
    unknown_keys(definition, kTaskKeys, "");
    std::size_t before = findings_.size();
    size(definition);
    const auto& containers = definition.get_array("containerDefinitions");
    if (containers.empty()) bad("containerDefinitions", "there is no container", "");
    std::set<std::string> names;
    bool has_essential = false;
    for (const auto& container : containers) {
      std::string name = container.get_string("name");
      if (!names.insert(name).second)
        bad(name, "two containers have this name", "give one of them another");
      has_essential = has_essential || container.get_bool("essential", true);
      this->container(definition, container, name);
    }
    if (!containers.empty() && !has_essential)
      bad("containerDefinitions", "no container is essential",
          "set essential: true on the one that makes the task");
    dependencies(containers, names);
    if (findings_.size() == before)
      findings_.push_back({Finding::State::ok, service_ + ": task definition", "", ""});
    return std::move(findings_);
  }

 private:
  void bad(const std::string& where, const std::string& message, const std::string& mend) {
    findings_.push_back({Finding::State::missing, service_ + ": " + where, message, mend});
  }

  void unknown_keys(const Json& value, const auto& known, const std::string& place) {
    if (!value.is_object()) return;
    for (const auto& [key, member] : value.as_object()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      auto near = nearest(key, known);
      bad(place + key, "ECS has no such attribute",
          near.empty() ? "take it out" : fmt::format("did you mean {}?", near));
    }
  }

  void size(const Json& definition) {
    bool is_fargate = false;
    for (const auto& item : definition.get_array("requiresCompatibilities"))
      is_fargate = is_fargate || item.as_string() == "FARGATE";
    if (!is_fargate) return;
    if (definition.get_string("networkMode") != "awsvpc")
      bad("networkMode", "Fargate needs awsvpc", "set networkMode to awsvpc");
    auto text = [&](std::string_view key) {
      const Json* value = definition.find(key);
      return !value ? "" : value->is_string() ? value->as_string() : value->dump();
    };
    auto cpu = to_integer(text("cpu"));
    auto memory = to_integer(text("memory"));
    if (!cpu || !memory)
      return bad("cpu, memory", "Fargate needs both for the task",
                 "for example cpu 256, memory 512");
    auto fits =
        std::find_if(kSizes.begin(), kSizes.end(), [&](const Size& s) { return s.cpu == *cpu; });
    if (fits == kSizes.end())
      return bad("cpu", fmt::format("{} is no size that Fargate has", *cpu),
                 "256, 512, 1024, 2048, 4096, 8192, 16384 or 32768");
    bool is_right = *memory >= fits->from && *memory <= fits->to &&
                    ((*memory - fits->from) % fits->step == 0 || (*cpu == 256 && *memory == 1024));
    if (!is_right)
      bad("memory", fmt::format("{} MiB do not go with cpu {}", *memory, *cpu),
          fmt::format("from {} to {} in steps of {}", fits->from, fits->to, fits->step));
    long long used = 0;
    for (const auto& container : definition.get_array("containerDefinitions"))
      used += container.get_int("memory", container.get_int("memoryReservation", 0));
    if (used > *memory)
      bad("memory", fmt::format("its containers ask for {} MiB, the task has {}", used, *memory),
          "raise the task's memory");
  }

  void container(const Json& definition, const Json& container, const std::string& name) {
    unknown_keys(container, kContainerKeys, name + ".");
    if (container.get_string("image").empty()) bad(name, "it has no image", "");
    for (const auto& port : container.get_array("portMappings")) {
      bool differs = port.contains("hostPort") && port.get_int("hostPort") != 0 &&
                     port.get_int("hostPort") != port.get_int("containerPort");
      if (differs && definition.get_string("networkMode") == "awsvpc")
        bad(name + ".portMappings", "with awsvpc hostPort is containerPort", "leave hostPort out");
    }
    const Json* log = container.find("logConfiguration");
    if (log && log->get_string("logDriver") == "awslogs") {
      const Json* options = log->find("options");
      for (const char* key : {"awslogs-group", "awslogs-region", "awslogs-stream-prefix"}) {
        if (!options || options->get_string(key).empty())
          bad(name + ".logConfiguration", fmt::format("awslogs needs the option {}", key), "");
      }
    }
    bool needs_role = !container.get_array("secrets").empty() ||
                      (log && log->get_string("logDriver") == "awslogs") ||
                      container.get_string("image").find(".dkr.ecr.") != std::string::npos;
    if (needs_role && definition.get_string("executionRoleArn").empty()) {
      bad(name, "it has an ECR image, awslogs or secrets: the task needs an executionRoleArn",
          "add one; slipway bootstrap makes the role");
    }
    if (!log)
      findings_.push_back({Finding::State::skipped, service_ + ": " + name + ".logConfiguration",
                           "it logs nowhere: a failure will have no last line", "add awslogs"});
  }

  void dependencies(const Json::Array& containers, const std::set<std::string>& names) {
    for (const auto& container : containers) {
      for (const auto& dependency : container.get_array("dependsOn")) {
        std::string other = dependency.get_string("containerName");
        std::string where = container.get_string("name") + ".dependsOn";
        if (!names.contains(other)) {
          bad(where, fmt::format("there is no container '{}'", other), "");
          continue;
        }
        for (const auto& candidate : containers) {
          if (candidate.get_string("name") != other) continue;
          std::string condition = dependency.get_string("condition");
          if (condition == "HEALTHY" && !candidate.contains("healthCheck"))
            bad(where, fmt::format("'{}' has no healthCheck to become HEALTHY by", other),
                "give it one, or wait for START");
          if ((condition == "SUCCESS" || condition == "COMPLETE") &&
              candidate.get_bool("essential", true))
            bad(where, fmt::format("'{}' is essential: its end would end the task", other),
                "set essential: false on it");
        }
      }
    }
  }

  const std::string& service_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_definition(const std::string& service, const Json& definition) {
  return DefinitionChecker(service).run(definition);
}

}  // namespace slipway::deploy
