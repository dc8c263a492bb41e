// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "cloud/names.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::discovery {

inline constexpr std::string_view kNamespaceKind = "discovery.namespace";
inline constexpr std::string_view kServiceKind = "discovery.service";
inline constexpr std::string_view kInstanceKind = "discovery.instance";  ///< id: SERVICE/INSTANCE

/// Where a service can be reached.
struct Instance {
  std::string id;
  std::map<std::string, std::string> attributes;  ///< AWS_INSTANCE_IPV4, AWS_INSTANCE_PORT, …
  std::string health = "UNKNOWN";                 ///< HEALTHY, UNHEALTHY; UNKNOWN: nobody looks
  bool operator==(const Instance&) const = default;
};

/// What Cloud Map knows: namespaces, services, instances. The DNS of the tasks' network answers for its private zones.
///   threads  any
class Registry final {
 public:
  Registry(State& state, Names& names) : state_(state), names_(names) {}
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry() = default;

  /// Publishes the zones of every namespace; at the cloud's start.
  void publish_all();

  // Documents as the API shows them, without their counts.
  [[nodiscard]] std::optional<Json> find_namespace(const Scope& scope, const std::string& id);
  /// By name, or by ARN.
  [[nodiscard]] std::optional<Json> namespace_called(const Scope& scope,
                                                     const std::string& name_or_arn);
  [[nodiscard]] std::optional<Json> find_service(const Scope& scope, const std::string& id);
  [[nodiscard]] std::optional<Json> service_called(const Scope& scope,
                                                   const std::string& namespace_id,
                                                   const std::string& name);
  [[nodiscard]] std::vector<Json> namespaces(const Scope& scope);
  [[nodiscard]] std::vector<Json> services(const Scope& scope);
  /// Creates or replaces.
  void put_namespace(const Scope& scope, const Json& document);
  void put_service(const Scope& scope, const Json& document);
  void erase_namespace(const Scope& scope, const std::string& id);
  void erase_service(const Scope& scope, const std::string& id);
  /// A namespace for API calls only, and a service of such a namespace: the one that is there, or a new one. Returns its id.
  std::string ensure_http_namespace(const Scope& scope, const std::string& name, double now);
  std::string ensure_http_service(const Scope& scope, const std::string& namespace_id,
                                  const std::string& name, double now);

  /// By id. Those of a service that does not exist: none.
  [[nodiscard]] std::vector<Instance> instances(const Scope& scope, const std::string& service);
  [[nodiscard]] std::optional<Instance> find_instance(const Scope& scope,
                                                      const std::string& service,
                                                      const std::string& id);
  void put_instance(const Scope& scope, const std::string& service, const Instance& instance);
  /// False when there is no such instance.
  bool set_health(const Scope& scope, const std::string& service, const std::string& instance,
                  const std::string& health);
  bool erase_instance(const Scope& scope, const std::string& service, const std::string& instance);
  /// How often a service's instances have changed.
  [[nodiscard]] std::int64_t revision(const Scope& scope, const std::string& service);

  /// Grows with every change of an instance; wait() ends when it is another than `seen`, which it then sets. False: stopped.
  bool wait(const std::stop_token& stop, std::uint64_t& seen);

 private:
  void publish(const Scope& scope, const std::string& namespace_id);
  /// After a service's instances changed: its zone, its revision, those who wait.
  void changed(const Scope& scope, const std::string& service);

  State& state_;
  Names& names_;
  std::mutex publishing_;  ///< a zone is read and published in one go
  Guarded<std::uint64_t> version_;
};

/// The records of a private zone.
///   name      "shop.local"
///   services  documents, each with its instances; those that are not HEALTHY are left out unless none is
///   source    Cloud Map developer guide, "Service discovery settings"; ECS developer guide, "Service discovery considerations"
std::map<std::string, container::DnsRecords> zone_records(
    const std::string& name, const std::vector<std::pair<Json, std::vector<Instance>>>& services);
/// The instances that a service is reached by: the healthy ones, or all when none is.
std::vector<Instance> in_service(std::vector<Instance> all);

/// "arn:aws:servicediscovery:R:A:service/ID"
std::string resource_arn(const Scope& scope, std::string_view kind, std::string_view id);

}  // namespace slipway::cloud::discovery
