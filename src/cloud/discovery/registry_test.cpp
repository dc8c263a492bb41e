// SPDX-License-Identifier: Apache-2.0
#include "cloud/discovery/registry.hpp"

#include <doctest/doctest.h>

#include "os/file.hpp"

using namespace slipway;
using namespace slipway::cloud;
using namespace slipway::cloud::discovery;

namespace {

Json service(const std::string& name, const std::string& routing, const std::string& type) {
  return Json::object(
      {{"Id", "srv-" + name},
       {"Name", name},
       {"NamespaceId", "ns-1"},
       {"DnsConfig",
        Json::object(
            {{"RoutingPolicy", routing},
             {"DnsRecords", Json::array({Json::object({{"Type", type}, {"TTL", 10}})})}})}});
}

Instance instance(const std::string& id, const std::string& address, const std::string& health) {
  return {.id = id,
          .attributes = {{"AWS_INSTANCE_IPV4", address}, {"AWS_INSTANCE_PORT", "8080"}},
          .health = health};
}

}  // namespace

TEST_CASE("a zone has the healthy instances of its services, all of them when none is healthy") {
  auto zone = zone_records(
      "Shop.local",
      {{service("api", "MULTIVALUE", "A"),
        {instance("a", "10.0.0.1", "HEALTHY"), instance("b", "10.0.0.2", "UNHEALTHY")}},
       {service("db", "WEIGHTED", "A"), {instance("c", "10.0.0.3", "UNHEALTHY")}}});
  CHECK(zone.at("api.shop.local").addresses == std::vector<std::string>{"10.0.0.1"});
  CHECK(zone.at("api.shop.local").ttl == 10);
  CHECK(zone.at("api.shop.local").most == 8);
  CHECK(zone.at("db.shop.local").addresses == std::vector<std::string>{"10.0.0.3"});
  CHECK(zone.at("db.shop.local").most == 1);
}

TEST_CASE("an SRV record leads to a name of the instance's own") {
  auto zone = zone_records("shop.local", {{service("api", "MULTIVALUE", "SRV"),
                                           {instance("task1", "10.0.0.1", "UNKNOWN")}}});
  CHECK(zone.at("api.shop.local").addresses.empty());
  CHECK(zone.at("api.shop.local").ports ==
        std::vector<container::DnsPort>{{"task1.api.shop.local", 8080}});
  CHECK(zone.at("task1.api.shop.local").addresses == std::vector<std::string>{"10.0.0.1"});
}

TEST_CASE("instances are published as they come and go, and wake those who wait") {
  os::TempDir dir;
  State state(dir.path() / "state.db");
  Names names;
  Registry registry(state, names);
  Scope scope{"123456789012", "us-east-1"};
  registry.put_namespace(
      scope,
      Json::object(
          {{"Id", "ns-1"}, {"Arn", "arn:1"}, {"Name", "shop.local"}, {"Type", "DNS_PRIVATE"}}));
  registry.put_service(scope, service("api", "MULTIVALUE", "A"));
  CHECK(names.table().zones.at("shop.local").empty());
  std::uint64_t seen = 0;
  auto before = registry.revision(scope, "srv-api");
  registry.put_instance(scope, "srv-api", instance("a", "10.0.0.1", "HEALTHY"));
  CHECK(registry.wait({}, seen));
  CHECK(seen == 1);
  CHECK(registry.revision(scope, "srv-api") == before + 1);
  CHECK(names.table().zones.at("shop.local").at("api.shop.local").addresses ==
        std::vector<std::string>{"10.0.0.1"});
  CHECK(registry.erase_instance(scope, "srv-api", "a"));
  CHECK_FALSE(registry.erase_instance(scope, "srv-api", "a"));
  CHECK(names.table().zones.at("shop.local").empty());
  registry.erase_namespace(scope, "ns-1");
  CHECK(names.table().zones.empty());
}

TEST_CASE("a namespace and a service of Service Connect are made once") {
  os::TempDir dir;
  State state(dir.path() / "state.db");
  Names names;
  Registry registry(state, names);
  Scope scope{"123456789012", "us-east-1"};
  auto space = registry.ensure_http_namespace(scope, "internal", 1);
  CHECK(registry.ensure_http_namespace(scope, "internal", 2) == space);
  auto id = registry.ensure_http_service(scope, space, "api", 1);
  CHECK(registry.ensure_http_service(scope, space, "api", 2) == id);
  CHECK(registry.namespace_called(scope, resource_arn(scope, "namespace", space)).has_value());
  CHECK(names.table().zones.empty());  // an HTTP namespace has no DNS
}
