// SPDX-License-Identifier: Apache-2.0
#include "cloud/discovery/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::discovery {
namespace {

constexpr std::size_t kMostValues = 8;  // of one answer, when the routing policy is MULTIVALUE

Json to_json(const Instance& instance) {
  Json attributes = Json::object();
  for (const auto& [key, value] : instance.attributes) attributes[key] = value;
  return Json::object(
      {{"id", instance.id}, {"attributes", std::move(attributes)}, {"health", instance.health}});
}

Instance instance_from(const Json& json) {
  Instance instance{
      .id = json.get_string("id"), .attributes = {}, .health = json.get_string("health")};
  for (const auto& [key, value] : json.at("attributes").as_object())
    instance.attributes[key] = value.as_string();
  return instance;
}

std::string attribute(const Instance& instance, const std::string& key) {
  auto found = instance.attributes.find(key);
  return found == instance.attributes.end() ? "" : found->second;
}

std::string instance_key(const std::string& service, const std::string& instance) {
  return service + "/" + instance;
}

std::string new_id(std::string_view prefix) {
  return fmt::format("{}-{}", prefix, to_lower(random_id(16)));
}

std::vector<Json> bodies(std::vector<Stored> rows) {
  std::vector<Json> out;
  for (auto& row : rows) out.push_back(std::move(row.body));
  return out;
}

}  // namespace

std::string resource_arn(const Scope& scope, std::string_view kind, std::string_view id) {
  return arn("servicediscovery", scope.region, scope.account, fmt::format("{}/{}", kind, id));
}

std::vector<Instance> in_service(std::vector<Instance> all) {
  bool is_any_healthy = std::any_of(all.begin(), all.end(), [](const Instance& instance) {
    return instance.health != "UNHEALTHY";
  });
  if (is_any_healthy)
    std::erase_if(all, [](const Instance& instance) { return instance.health == "UNHEALTHY"; });
  return all;
}

std::map<std::string, container::DnsRecords> zone_records(
    const std::string& name, const std::vector<std::pair<Json, std::vector<Instance>>>& services) {
  std::map<std::string, container::DnsRecords> zone;
  for (const auto& [service, instances] : services) {
    const Json* dns = service.find("DnsConfig");
    if (dns == nullptr) continue;
    std::string host = to_lower(service.get_string("Name") + "." + name);
    std::size_t most = dns->get_string("RoutingPolicy") == "WEIGHTED" ? 1 : kMostValues;
    for (const auto& record : dns->get_array("DnsRecords")) {
      std::string type = record.get_string("Type");
      auto ttl = static_cast<std::uint32_t>(record.get_int("TTL", 60));
      for (const auto& instance : in_service(instances)) {
        std::string address = attribute(instance, "AWS_INSTANCE_IPV4");
        auto port = to_integer(attribute(instance, "AWS_INSTANCE_PORT"));
        auto& records = zone[host];
        records.ttl = ttl;
        records.most = most;
        if (type == "A" && !address.empty()) records.addresses.push_back(address);
        if (type != "SRV" || !port || address.empty()) continue;
        std::string own = to_lower(instance.id) + "." + host;
        records.ports.push_back({own, static_cast<std::uint16_t>(*port)});
        zone[own] = {.addresses = {address}, .ports = {}, .ttl = ttl, .most = 1};
      }
    }
  }
  return zone;
}

std::optional<Json> Registry::find_namespace(const Scope& scope, const std::string& id) {
  return state_.read([&](Tables& tables) { return tables.get(kNamespaceKind, scope, id); });
}

std::optional<Json> Registry::namespace_called(const Scope& scope, const std::string& name_or_arn) {
  for (auto& each : namespaces(scope)) {
    if (each.get_string("Name") == name_or_arn || each.get_string("Arn") == name_or_arn)
      return each;
  }
  return std::nullopt;
}

std::optional<Json> Registry::find_service(const Scope& scope, const std::string& id) {
  return state_.read([&](Tables& tables) { return tables.get(kServiceKind, scope, id); });
}

std::optional<Json> Registry::service_called(const Scope& scope, const std::string& namespace_id,
                                             const std::string& name) {
  for (auto& each : services(scope)) {
    if (each.get_string("NamespaceId") == namespace_id && each.get_string("Name") == name)
      return each;
  }
  return std::nullopt;
}

std::vector<Json> Registry::namespaces(const Scope& scope) {
  return bodies(state_.read([&](Tables& tables) { return tables.list(kNamespaceKind, scope); }));
}

std::vector<Json> Registry::services(const Scope& scope) {
  return bodies(state_.read([&](Tables& tables) { return tables.list(kServiceKind, scope); }));
}

void Registry::put_namespace(const Scope& scope, const Json& document) {
  std::string id = document.get_string("Id");
  state_.write([&](Tables& tables) { tables.put(kNamespaceKind, scope, id, document); });
  publish(scope, id);
}

void Registry::put_service(const Scope& scope, const Json& document) {
  state_.write([&](Tables& tables) {
    tables.put(kServiceKind, scope, document.get_string("Id"), document);
  });
  publish(scope, document.get_string("NamespaceId"));
}

void Registry::erase_namespace(const Scope& scope, const std::string& id) {
  state_.write([&](Tables& tables) { tables.erase(kNamespaceKind, scope, id); });
  names_.set_zone(resource_arn(scope, "namespace", id), "", std::nullopt);
}

void Registry::erase_service(const Scope& scope, const std::string& id) {
  auto service = find_service(scope, id);
  state_.write([&](Tables& tables) { tables.erase(kServiceKind, scope, id); });
  if (service) publish(scope, service->get_string("NamespaceId"));
}

std::string Registry::ensure_http_namespace(const Scope& scope, const std::string& name,
                                            double now) {
  if (auto present = namespace_called(scope, name)) return present->get_string("Id");
  std::string id = new_id("ns");
  put_namespace(
      scope, Json::object({{"Id", id},
                           {"Arn", resource_arn(scope, "namespace", id)},
                           {"Name", name},
                           {"Type", "HTTP"},
                           {"Properties",
                            Json::object({{"HttpProperties", Json::object({{"HttpName", name}})}})},
                           {"CreateDate", now}}));
  return id;
}

std::string Registry::ensure_http_service(const Scope& scope, const std::string& namespace_id,
                                          const std::string& name, double now) {
  if (auto present = service_called(scope, namespace_id, name)) return present->get_string("Id");
  std::string id = new_id("srv");
  put_service(scope, Json::object({{"Id", id},
                                   {"Arn", resource_arn(scope, "service", id)},
                                   {"Name", name},
                                   {"NamespaceId", namespace_id},
                                   {"Type", "HTTP"},
                                   {"CreateDate", now}}));
  return id;
}

std::vector<Instance> Registry::instances(const Scope& scope, const std::string& service) {
  std::vector<Instance> out;
  for (const auto& row : state_.read(
           [&](Tables& tables) { return tables.list(kInstanceKind, scope, service + "/"); }))
    out.push_back(instance_from(row.body));
  return out;
}

std::optional<Instance> Registry::find_instance(const Scope& scope, const std::string& service,
                                                const std::string& id) {
  auto found = state_.read(
      [&](Tables& tables) { return tables.get(kInstanceKind, scope, instance_key(service, id)); });
  return found ? std::optional(instance_from(*found)) : std::nullopt;
}

void Registry::put_instance(const Scope& scope, const std::string& service,
                            const Instance& instance) {
  state_.write([&](Tables& tables) {
    tables.put(kInstanceKind, scope, instance_key(service, instance.id), to_json(instance));
  });
  changed(scope, service);
}

bool Registry::set_health(const Scope& scope, const std::string& service,
                          const std::string& instance, const std::string& health) {
  bool was_there = state_.write([&](Tables& tables) {
    auto stored = tables.get(kInstanceKind, scope, instance_key(service, instance));
    if (!stored) return false;
    (*stored)["health"] = health;
    tables.put(kInstanceKind, scope, instance_key(service, instance), *stored);
    return true;
  });
  if (was_there) changed(scope, service);
  return was_there;
}

bool Registry::erase_instance(const Scope& scope, const std::string& service,
                              const std::string& instance) {
  bool was_there = state_.write([&](Tables& tables) {
    return tables.erase(kInstanceKind, scope, instance_key(service, instance));
  });
  if (was_there) changed(scope, service);
  return was_there;
}

std::int64_t Registry::revision(const Scope& scope, const std::string& service) {
  return state_.read([&](Tables& tables) {
    auto stored = tables.get("discovery.revision", scope, service);
    return stored ? stored->get_int("revision") : std::int64_t{1};
  });
}

void Registry::changed(const Scope& scope, const std::string& service) {
  state_.write([&](Tables& tables) {
    auto stored = tables.get("discovery.revision", scope, service);
    tables.put("discovery.revision", scope, service,
               Json::object({{"revision", (stored ? stored->get_int("revision") : 1) + 1}}));
  });
  if (auto document = find_service(scope, service))
    publish(scope, document->get_string("NamespaceId"));
  version_.with([](std::uint64_t& version) { ++version; });
}

bool Registry::wait(const std::stop_token& stop, std::uint64_t& seen) {
  return version_.wait(
      stop, Deadline::never(), [&](std::uint64_t version) { return version != seen; },
      [&](std::uint64_t& version) { seen = version; });
}

void Registry::publish(const Scope& scope, const std::string& namespace_id) {
  std::lock_guard turn(publishing_);
  auto space = find_namespace(scope, namespace_id);
  if (!space || space->get_string("Type") != "DNS_PRIVATE") return;
  std::vector<std::pair<Json, std::vector<Instance>>> members;
  for (auto& service : services(scope)) {
    if (service.get_string("NamespaceId") != namespace_id) continue;
    auto all = instances(scope, service.get_string("Id"));
    members.emplace_back(std::move(service), std::move(all));
  }
  std::string name = to_lower(space->get_string("Name"));
  names_.set_zone(resource_arn(scope, "namespace", namespace_id), name,
                  zone_records(name, members));
}

void Registry::publish_all() {
  for (const auto& [scope, stored] :
       state_.read([](Tables& tables) { return tables.list_everywhere(kNamespaceKind); }))
    publish(scope, stored.id);
}

}  // namespace slipway::cloud::discovery
