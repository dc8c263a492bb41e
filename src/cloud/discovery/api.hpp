// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>

#include "cloud/discovery/discovery.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::discovery {

/// The operations of Cloud Map. Split by resource: namespaces.cpp, services.cpp, instances.cpp.
///   source  AWS Cloud Map API reference, 2017-03-14
class Discovery final : public Service {
 public:
  Discovery(State& state, Registry& registry) : state_(state), registry_(registry) {}
  [[nodiscard]] const ServiceDescription& description() const override;
  [[nodiscard]] bool has(std::string_view operation) const override;
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override;
  void run(std::stop_token stop) override;

 private:
  static const Operations<Discovery>& operations();
  // namespaces.cpp
  Json create_namespace(const Call& call);
  Json refuse_public_namespace(const Call& call);
  Json update_namespace(const Call& call);
  Json delete_namespace(const Call& call);
  Json get_namespace(const Call& call);
  Json list_namespaces(const Call& call);
  Json get_operation(const Call& call);
  Json list_operations(const Call& call);
  Json tag_resource(const Call& call);
  Json untag_resource(const Call& call);
  Json list_tags_for_resource(const Call& call);
  // services.cpp
  Json create_service(const Call& call);
  Json update_service(const Call& call);
  Json delete_service(const Call& call);
  Json get_service(const Call& call);
  Json list_services(const Call& call);
  // instances.cpp
  Json register_instance(const Call& call);
  Json deregister_instance(const Call& call);
  Json get_instance(const Call& call);
  Json list_instances(const Call& call);
  Json get_instances_health_status(const Call& call);
  Json update_instance_custom_health_status(const Call& call);
  Json discover_instances(const Call& call);
  Json discover_instances_revision(const Call& call);

  /// throws Refusal NamespaceNotFound, ServiceNotFound
  Json need_namespace(const Call& call, const std::string& id);
  Json need_service(const Call& call, const std::string& id);
  /// The service that a discovery names. throws Refusal NamespaceNotFound, ServiceNotFound
  Json service_named(const Call& call);
  /// With its count, without what the API does not show.
  Json shown_namespace(const Call& call, Json document);
  Json shown_service(const Call& call, Json document);
  /// What was asked for has been done: {OperationId}, which GetOperation knows as a SUCCESS.
  Json done(const Call& call, const char* type, const char* target, const std::string& id);
  void change_tags(const Call& call, const std::function<void(Json::Array&)>& use);

  State& state_;
  Registry& registry_;
};

constexpr const char* kBad = "InvalidInput";

/// What follows the last '/': ids may be given as ARNs.
std::string last_segment(const std::string& id_or_arn);
/// What an instance must say of itself for the records of its service. throws Refusal InvalidInput
void check_attributes(const Input& in, const Json& service, const Instance& instance);

/// The page of `items` that a call asks for, under `set`; tokens are positions.
Json page(const Call& call, const char* set, std::vector<Json> items, std::size_t otherwise);
/// Whether a document passes the call's Filters; `value_of` gives what it has for a filter's name, nothing: the filter does not matter.
bool passes(const Call& call,
            const std::function<std::optional<std::string>(const std::string& filter)>& value_of);

}  // namespace slipway::cloud::discovery
