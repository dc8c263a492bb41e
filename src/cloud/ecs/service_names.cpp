// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/service_names.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/discovery/registry.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/input.hpp"
#include "container/network.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr const char* kBad = "InvalidParameterException";

double now_seconds() { return static_cast<double>(now_ms()) / 1000.0; }

// The container port of a named port mapping, 0: there is none of this name.
std::int64_t port_named(const Json& definition, const std::string& name) {
  for (const auto& container : definition.get_array("containerDefinitions")) {
    for (const auto& mapping : container.get_array("portMappings")) {
      if (mapping.get_string("name") == name) return mapping.get_int("containerPort");
    }
  }
  return 0;
}

bool has_port(const Json& definition, const std::string& container, std::int64_t port) {
  for (const auto& item : definition.get_array("containerDefinitions")) {
    if (item.get_string("name") != container) continue;
    for (const auto& mapping : item.get_array("portMappings")) {
      if (mapping.get_int("containerPort") == port) return true;
    }
  }
  return false;
}

void check_registries(const Surroundings& around, const ServiceRecord& service,
                      const Json& definition) {
  const auto& registries = service.settings.get_array("serviceRegistries");
  if (registries.size() > 1) refuse(kBad, "Only one service registry is allowed for a service.");
  for (const auto& registry : registries) {
    std::string arn = registry.get_string("registryArn");
    auto known = around.discovery.find_service(service.scope, last_part(arn));
    if (!known || known->get_string("Arn") != arn)
      refuse(kBad, fmt::format("The service registry {} does not exist.", arn));
    std::string container = registry.get_string("containerName");
    auto port = registry.get_int("containerPort");
    if (container.empty() != (port == 0))
      refuse(kBad, "containerName and containerPort of a service registry go together.");
    if (!container.empty() && !has_port(definition, container, port)) {
      refuse(kBad, fmt::format("The container {} did not have a container port {} defined.",
                               container, port));
    }
    const Json* dns = known->find("DnsConfig");
    if (dns == nullptr || port != 0 || registry.get_int("port") != 0) continue;
    for (const auto& record : dns->get_array("DnsRecords")) {
      if (record.get_string("Type") == "SRV")
        refuse(kBad,
               "When specifying a serviceRegistry with an SRV record, a port or a "
               "containerName and containerPort must be specified.");
    }
  }
}

Json settled_service(const Surroundings& around, const Scope& scope, const Json& given,
                     const Json& definition, const Json& space) {
  for (const char* key : {"ingressPortOverride", "timeout", "tls"}) {
    if (given.contains(key)) {
      refuse(kBad, fmt::format("slipway: '{}' of Service Connect is not supported yet: connections "
                               "are led to the tasks by the kernel, no proxy stands between",
                               key));
    }
  }
  std::string name = given.get_string("portName");
  auto port = port_named(definition, name);
  if (port == 0) {
    refuse(kBad, fmt::format("Port name ({}) does not refer to any named PortMapping in the task "
                             "definition.",
                             name));
  }
  std::string discovery = given.get_string("discoveryName", name);
  Json aliases = Json::array();
  for (const auto& alias : given.get_array("clientAliases")) {
    std::string fallback = discovery + "." + space.get_string("Name");
    auto listen = alias.get_int("port");
    if (listen < 1 || listen > 65535)
      refuse(kBad,
             fmt::format("The port {} of a client alias is not between 1 and 65535.", listen));
    aliases.push_back(Json::object(
        {{"dnsName", to_lower(alias.get_string("dnsName", fallback))}, {"port", listen}}));
  }
  if (aliases.size() > 1)
    refuse(kBad, "A Service Connect service can have at most one client alias.");
  std::string id =
      around.discovery.ensure_http_service(scope, space.get_string("Id"), discovery, now_seconds());
  return Json::object({{"portName", name},
                       {"discoveryName", discovery},
                       {"port", port},
                       {"service", id},
                       {"clientAliases", std::move(aliases)}});
}

const Deployment* deployment_of(const World& world, const Task& task) {
  auto it = world.services.find(full_key(task.scope, task.cluster + "/" + task.service));
  if (task.service.empty() || it == world.services.end()) return nullptr;
  for (const auto* list : {&it->second.deployments, &it->second.history}) {
    for (const auto& d : *list) {
      if (d.id == task.deployment) return &d;
    }
  }
  return nullptr;
}

// What a task says of itself where it registers. source ECS developer guide, "Service discovery"
discovery::Instance instance_of(const Task& task, std::int64_t port) {
  std::string family = last_part(task.task_definition_arn);
  discovery::Instance out{
      .id = task.id,
      .attributes = {{"AWS_INSTANCE_IPV4", task.address},
                     {"AVAILABILITY_ZONE", task.scope.region + "a"},
                     {"REGION", task.scope.region},
                     {"ECS_CLUSTER_NAME", task.cluster},
                     {"ECS_SERVICE_NAME", task.service},
                     {"ECS_TASK_DEFINITION_FAMILY", family.substr(0, family.find(':'))}}};
  if (port != 0) out.attributes["AWS_INSTANCE_PORT"] = std::to_string(port);
  return out;
}

bool has_health_checks(const Task& task) {
  return std::any_of(task.containers.begin(), task.containers.end(),
                     [](const TaskContainer& c) { return c.is_essential && c.has_health_check; });
}

std::string health_of(const Task& task) {
  return has_health_checks(task) && task.health() != "HEALTHY" ? "UNHEALTHY" : "HEALTHY";
}

}  // namespace

std::string settled_namespace(const Surroundings& around, const Scope& scope,
                              const std::string& name_or_arn) {
  if (name_or_arn.empty()) return "";
  if (auto known = around.discovery.namespace_called(scope, name_or_arn))
    return known->get_string("Arn");
  if (name_or_arn.starts_with("arn:"))
    refuse("NamespaceNotFoundException", "The namespace " + name_or_arn + " does not exist.");
  return discovery::resource_arn(
      scope, "namespace",
      around.discovery.ensure_http_namespace(scope, name_or_arn, now_seconds()));
}

void settle_names(const Surroundings& around, ServiceRecord& service, const Json& definition,
                  const std::string& default_namespace) {
  check_registries(around, service, definition);
  service.settings.erase("connect");
  const Json* given = service.settings.find("serviceConnectConfiguration");
  if (given == nullptr || !given->get_bool("enabled")) return;
  std::string name = given->get_string("namespace", default_namespace);
  if (name.empty()) {
    refuse(
        kBad,
        "Service Connect needs a namespace: specify one in the serviceConnectConfiguration or in "
        "the cluster's serviceConnectDefaults.");
  }
  auto space = around.discovery.namespace_called(service.scope, name);
  if (!space) refuse("NamespaceNotFoundException", "The namespace " + name + " does not exist.");
  Json services = Json::array();
  std::set<std::string> seen;
  for (const auto& one : given->get_array("services")) {
    services.push_back(settled_service(around, service.scope, one, definition, *space));
    std::string discovery = services.as_array().back().get_string("discoveryName");
    if (!seen.insert(discovery).second)
      refuse(kBad, fmt::format("The discovery name {} is specified twice.", discovery));
  }
  service.settings["connect"] = Json::object({{"namespace", space->get_string("Arn")},
                                              {"services", std::move(services)},
                                              {"given", *given}});
}

void check_aliases_are_free(const World& world, const ServiceRecord& service) {
  const Json* own = service.settings.find("connect");
  if (own == nullptr) return;
  std::set<std::string> taken;
  auto ends_of = [](const Json& connect) {
    std::set<std::string> ends;
    for (const auto& one : connect.get_array("services")) {
      for (const auto& alias : one.get_array("clientAliases"))
        ends.insert(fmt::format("{}:{}", alias.get_string("dnsName"), alias.get_int("port")));
    }
    return ends;
  };
  for (const auto& [key, other] : world.services) {
    const Json* theirs = other.settings.find("connect");
    bool is_other = other.scope == service.scope && other.key() != service.key();
    if (!is_other || other.status == "INACTIVE" || theirs == nullptr ||
        theirs->get_string("namespace") != own->get_string("namespace"))
      continue;
    taken.merge(ends_of(*theirs));
  }
  for (const auto& end : ends_of(*own)) {
    if (!taken.contains(end)) continue;
    refuse(kBad, fmt::format("The client alias {} is already in use by another service in the "
                             "namespace {}.",
                             end, own->get_string("namespace")));
  }
}

Json aliases_for(const World& world, const Task& task) {
  Json out = Json::array();
  const auto* own = deployment_of(world, task);
  if (own == nullptr || own->connect.empty()) return out;
  std::map<std::string, std::string> addresses;
  for (const auto& [key, service] : world.services) {
    const auto* primary = service.primary();
    if (service.scope != task.scope || service.status != "ACTIVE" || primary == nullptr ||
        primary->connect.get_string("namespace") != own->connect.get_string("namespace"))
      continue;
    for (const auto& one : primary->connect.get_array("services")) {
      for (const auto& alias : one.get_array("clientAliases")) {
        std::string name = alias.get_string("dnsName");
        auto number = addresses.size() + 1;
        auto [at, is_new] = addresses.try_emplace(
            name, fmt::format("127.255.{}.{}", number / 250, number % 250 + 1));
        out.push_back(Json::object({{"name", name},
                                    {"address", at->second},
                                    {"port", alias.get_int("port")},
                                    {"service", one.get_string("service")}}));
      }
    }
  }
  return out;
}

std::string alias_lines(const Json& aliases) {
  std::string out;
  for (const auto& alias : aliases.as_array()) {
    std::string line =
        fmt::format("{} {}\n", alias.get_string("address"), alias.get_string("name"));
    if (out.find(line) == std::string::npos) out += line;
  }
  return out;
}

void lead_aliases(Engine& engine, const Task& task, const std::filesystem::path& netns) {
  std::vector<container::SharedForward> forwards;
  for (const auto& alias : task.aliases.as_array()) {
    container::SharedForward forward{
        .listen_address = alias.get_string("address"),
        .listen_port = static_cast<std::uint16_t>(alias.get_int("port")),
        .targets = {}};
    for (const auto& instance : discovery::in_service(
             engine.around().discovery.instances(task.scope, alias.get_string("service")))) {
      auto port = instance.attributes.find("AWS_INSTANCE_PORT");
      auto address = instance.attributes.find("AWS_INSTANCE_IPV4");
      if (port == instance.attributes.end() || address == instance.attributes.end()) continue;
      forward.targets.emplace_back(
          address->second, static_cast<std::uint16_t>(to_integer(port->second).value_or(0)));
    }
    forwards.push_back(std::move(forward));
  }
  container::share_ports(netns, forwards);
}

void follow_aliases(Engine& engine, const Task& task, const std::filesystem::path& netns,
                    const std::stop_token& stop) {
  std::uint64_t seen = 0;
  while (engine.around().discovery.wait(stop, seen)) {
    try {
      lead_aliases(engine, task, netns);
    } catch (const Error& error) {
      engine.around().log.warn("ecs: names of task {}: {}", task.id, error.what());
    }
  }
}

void register_names(Engine& engine, const std::string& key) {
  Task task = engine.read([&](const World& world) { return world.tasks.at(key); });
  auto& registry = engine.around().discovery;
  std::vector<std::pair<std::string, std::int64_t>> places;  // a Cloud Map service and a port
  engine.read([&](const World& world) {
    auto it = world.services.find(full_key(task.scope, task.cluster + "/" + task.service));
    if (task.service.empty() || it == world.services.end()) return 0;
    for (const auto& one : it->second.settings.get_array("serviceRegistries"))
      places.emplace_back(last_part(one.get_string("registryArn")),
                          one.get_int("containerPort", one.get_int("port")));
    if (const auto* d = deployment_of(world, task)) {
      for (const auto& one : d->connect.get_array("services"))
        places.emplace_back(one.get_string("service"), one.get_int("port"));
    }
    return 0;
  });
  if (places.empty()) return;
  Json names = Json::array();
  for (const auto& [service, port] : places) names.push_back(service);
  engine.change([&](World& world) {
    world.tasks.at(key).names = names;
    world.dirty_tasks.insert(key);
  });
  for (const auto& [service, port] : places) {
    auto known = registry.find_service(task.scope, service);
    if (!known) continue;
    auto instance = instance_of(task, port);
    if (known->contains("HealthCheckCustomConfig") || known->get_string("Type") == "HTTP")
      instance.health = health_of(task);
    if (registry.find_instance(task.scope, service, task.id) != instance)
      registry.put_instance(task.scope, service, instance);
  }
}

void tell_names_health(Engine& engine, const std::string& key) {
  Task task = engine.read([&](const World& world) { return world.tasks.at(key); });
  for (const auto& name : task.names.as_array()) {
    auto present = engine.around().discovery.find_instance(task.scope, name.as_string(), task.id);
    if (!present || present->health == "UNKNOWN" || present->health == health_of(task)) continue;
    engine.around().discovery.set_health(task.scope, name.as_string(), task.id, health_of(task));
  }
}

void deregister_names(Engine& engine, const std::string& key) {
  Task task = engine.read([&](const World& world) { return world.tasks.at(key); });
  for (const auto& name : task.names.as_array())
    engine.around().discovery.erase_instance(task.scope, name.as_string(), task.id);
}

}  // namespace slipway::cloud::ecs
