// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "cloud/discovery/api.hpp"

namespace slipway::cloud::discovery {
namespace {

bool has_record(const Json& service, std::string_view type) {
  const Json* dns = service.find("DnsConfig");
  if (dns == nullptr) return false;
  const auto& records = dns->get_array("DnsRecords");
  return std::any_of(records.begin(), records.end(),
                     [&](const Json& each) { return each.get_string("Type") == type; });
}

void check_dns(const Input& in, const Json& space, const Json& dns) {
  if (space.get_string("Type") == "HTTP")
    in.refuse("DnsConfig cannot be specified for a service in a namespace of type HTTP.");
  if (dns.get_array("DnsRecords").empty()) in.refuse("DnsRecords cannot be empty.");
  for (const auto& record : dns.get_array("DnsRecords")) {
    std::string type = record.get_string("Type");
    if (type == "A" || type == "SRV") continue;
    in.refuse(fmt::format("slipway: DNS records of type '{}' are not supported yet: A and SRV are",
                          type));
  }
}

}  // namespace

Json Discovery::need_service(const Call& call, const std::string& id) {
  auto found = registry_.find_service(scope_of(call), last_segment(id));
  if (!found) refuse("ServiceNotFound", fmt::format("Service {} could not be found.", id));
  return *found;
}

Json Discovery::shown_service(const Call& call, Json document) {
  document.erase("Tags");
  document["InstanceCount"] = static_cast<std::int64_t>(
      registry_.instances(scope_of(call), document.get_string("Id")).size());
  document["ResourceOwner"] = document["CreatedByAccount"] = call.account;
  return document;
}

Json Discovery::create_service(const Call& call) {
  Input in(call.input, kBad);
  Scope scope = scope_of(call);
  const Json* dns = call.input.find("DnsConfig");
  std::string space_id =
      in.text_or("NamespaceId", dns != nullptr ? dns->get_string("NamespaceId") : "");
  if (space_id.empty()) in.refuse("NamespaceId must be specified.");
  Json space = need_namespace(call, space_id);
  std::string name = in.text("Name");
  if (dns != nullptr) check_dns(in, space, *dns);
  if (in.has("HealthCheckConfig")) {
    in.refuse(
        "HealthCheckConfig can be specified only for services in public DNS namespaces; use "
        "HealthCheckCustomConfig.");
  }
  if (auto present = registry_.service_called(scope, space.get_string("Id"), name)) {
    throw Refusal("ServiceAlreadyExists", fmt::format("Service already exists: {}", name), 400,
                  Json::object({{"ServiceId", present->get_string("Id")},
                                {"CreatorRequestId", present->get_string("CreatorRequestId")},
                                {"ServiceArn", present->get_string("Arn")}}));
  }
  std::string id = "srv-" + to_lower(random_id(16));
  bool is_http = space.get_string("Type") == "HTTP" || in.text_or("Type") == "HTTP";
  if (dns == nullptr && !is_http) in.refuse("DnsConfig must be specified for a DNS namespace.");
  Json document =
      Json::object({{"Id", id},
                    {"Arn", resource_arn(scope, "service", id)},
                    {"Name", name},
                    {"NamespaceId", space.get_string("Id")},
                    {"Type", is_http ? "HTTP" : "DNS_HTTP"},
                    {"CreateDate", formats::epoch_seconds(call.now)},
                    {"CreatorRequestId", in.text_or("CreatorRequestId", call.request_id)},
                    {"Tags", Json(in.items("Tags"))}});
  if (auto text = in.optional_text("Description")) document["Description"] = *text;
  if (dns != nullptr) {
    document["DnsConfig"] = *dns;
    document["DnsConfig"]["NamespaceId"] = space.get_string("Id");
    if (dns->get_string("RoutingPolicy").empty())
      document["DnsConfig"]["RoutingPolicy"] = "MULTIVALUE";
  }
  if (const Json* custom = call.input.find("HealthCheckCustomConfig")) {
    document["HealthCheckCustomConfig"] = *custom;
    document["HealthCheckCustomConfig"]["FailureThreshold"] = 1;  // the only value since 2019
  }
  registry_.put_service(scope, document);
  return Json::object({{"Service", shown_service(call, document)}});
}

Json Discovery::update_service(const Call& call) {
  Input in(call.input, kBad);
  Json document = need_service(call, in.text("Id"));
  const Json& changes = call.input.at("Service");
  if (const Json* text = changes.find("Description")) document["Description"] = *text;
  if (const Json* dns = changes.find("DnsConfig")) {
    check_dns(in, need_namespace(call, document.get_string("NamespaceId")), *dns);
    document["DnsConfig"]["DnsRecords"] = dns->at("DnsRecords");
  }
  registry_.put_service(scope_of(call), document);
  return done(call, "UPDATE_SERVICE", "SERVICE", document.get_string("Id"));
}

Json Discovery::delete_service(const Call& call) {
  Json document = need_service(call, Input(call.input, kBad).text("Id"));
  std::string id = document.get_string("Id");
  if (!registry_.instances(scope_of(call), id).empty()) {
    refuse("ResourceInUse",
           "Service contains registered instances; delete the instances before deleting the "
           "service");
  }
  registry_.erase_service(scope_of(call), id);
  return Json::object();
}

Json Discovery::get_service(const Call& call) {
  Json document = need_service(call, Input(call.input, kBad).text("Id"));
  return Json::object({{"Service", shown_service(call, document)}});
}

Json Discovery::list_services(const Call& call) {
  std::vector<Json> found;
  for (auto& each : registry_.services(scope_of(call))) {
    bool is_wanted = passes(call, [&](const std::string& filter) -> std::optional<std::string> {
      return filter == "NAMESPACE_ID" ? each.get_string("NamespaceId") : "SELF";
    });
    if (!is_wanted) continue;
    each = shown_service(call, std::move(each));
    for (const char* hidden : {"CreatorRequestId", "NamespaceId"}) each.erase(hidden);
    found.push_back(std::move(each));
  }
  return page(call, "Services", std::move(found), 100);
}

// What an instance must say of itself for the records that its service has.
void check_attributes(const Input& in, const Json& service, const Instance& instance) {
  auto need = [&](const char* key, const char* type) {
    if (!has_record(service, type) || instance.attributes.contains(key)) return;
    in.refuse(
        fmt::format("{} must be specified for a service with a DNS record of type {}.", key, type));
  };
  need("AWS_INSTANCE_IPV4", "A");
  need("AWS_INSTANCE_PORT", "SRV");
  need("AWS_INSTANCE_IPV4", "SRV");
  auto port = instance.attributes.find("AWS_INSTANCE_PORT");
  if (port == instance.attributes.end()) return;
  auto number = to_integer(port->second);
  if (!number || *number < 1 || *number > 65535)
    in.refuse("AWS_INSTANCE_PORT must be a port between 1 and 65535: " + port->second);
}

}  // namespace slipway::cloud::discovery
