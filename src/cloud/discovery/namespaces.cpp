// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "cloud/discovery/api.hpp"

namespace slipway::cloud::discovery {
namespace {

constexpr std::string_view kOperationKind = "discovery.operation";

// Labels of letters, digits, '-' and '_', as a private zone's name may have.
bool is_dns_name(const std::string& name) {
  for (const auto& label : split(name, '.')) {
    bool ok = !label.empty() && label.size() <= 63 &&
              std::all_of(label.begin(), label.end(), [](unsigned char c) {
                return std::isalnum(c) != 0 || c == '-' || c == '_';
              });
    if (!ok) return false;
  }
  return name.size() <= 253;
}

Json zone_properties(const Call& call, const std::string& zone) {
  const Json* given = call.input.find("Properties");
  std::int64_t ttl = 15;
  if (const Json* dns = given ? given->find("DnsProperties") : nullptr) {
    if (const Json* soa = dns->find("SOA")) ttl = soa->get_int("TTL", ttl);
  }
  return Json::object({{"DnsProperties", Json::object({{"HostedZoneId", zone},
                                                       {"SOA", Json::object({{"TTL", ttl}})}})}});
}

}  // namespace

const ServiceDescription& Discovery::description() const {
  static const ServiceDescription kDescription{
      .signing_name = "servicediscovery",
      .target_prefix = "Route53AutoNaming_v20170314",
      .api_version = "",
      .xml_namespace = "",
      .protocol = Protocol::json_1_1,
      .host_prefixes = {"servicediscovery", "data-servicediscovery"},
      .action_prefix = ""};
  return kDescription;
}

const Operations<Discovery>& Discovery::operations() {
  static const Operations<Discovery> kOperations = {
      {"CreateHttpNamespace", &Discovery::create_namespace},
      {"CreatePrivateDnsNamespace", &Discovery::create_namespace},
      {"CreatePublicDnsNamespace", &Discovery::refuse_public_namespace},
      {"UpdateHttpNamespace", &Discovery::update_namespace},
      {"UpdatePrivateDnsNamespace", &Discovery::update_namespace},
      {"DeleteNamespace", &Discovery::delete_namespace},
      {"GetNamespace", &Discovery::get_namespace},
      {"ListNamespaces", &Discovery::list_namespaces},
      {"GetOperation", &Discovery::get_operation},
      {"ListOperations", &Discovery::list_operations},
      {"TagResource", &Discovery::tag_resource},
      {"UntagResource", &Discovery::untag_resource},
      {"ListTagsForResource", &Discovery::list_tags_for_resource},
      {"CreateService", &Discovery::create_service},
      {"UpdateService", &Discovery::update_service},
      {"DeleteService", &Discovery::delete_service},
      {"GetService", &Discovery::get_service},
      {"ListServices", &Discovery::list_services},
      {"RegisterInstance", &Discovery::register_instance},
      {"DeregisterInstance", &Discovery::deregister_instance},
      {"GetInstance", &Discovery::get_instance},
      {"ListInstances", &Discovery::list_instances},
      {"GetInstancesHealthStatus", &Discovery::get_instances_health_status},
      {"UpdateInstanceCustomHealthStatus", &Discovery::update_instance_custom_health_status},
      {"DiscoverInstances", &Discovery::discover_instances},
      {"DiscoverInstancesRevision", &Discovery::discover_instances_revision},
  };
  return kOperations;
}

bool Discovery::has(std::string_view operation) const { return operations().contains(operation); }
Json Discovery::call(const Call& call) { return dispatch(*this, operations(), call); }
void Discovery::run(std::stop_token) { registry_.publish_all(); }

// source  Service Authorization Reference, "Actions, resources, and condition keys for AWS Cloud Map"
std::vector<Permission> Discovery::permissions(const Call& call) const {
  std::string action = "servicediscovery:" + call.operation;
  std::string resource = "*";
  std::string id = call.input.get_string("ServiceId", call.input.get_string("Id"));
  std::string space = call.input.get_string("NamespaceId");
  if (id.starts_with("srv-")) resource = resource_arn(scope_of(call), "service", id);
  if (id.starts_with("ns-")) resource = resource_arn(scope_of(call), "namespace", id);
  if (id.empty() && !space.empty())
    resource = resource_arn(scope_of(call), "namespace", last_segment(space));
  return {{action, call.input.get_string("ResourceARN", resource)}};
}

Json page(const Call& call, const char* set, std::vector<Json> items, std::size_t otherwise) {
  Input in(call.input, kBad);
  std::size_t first = 0;
  if (auto token = in.optional_text("NextToken")) {
    auto text = read_page_token(*token);
    auto position = text ? to_integer(*text) : std::nullopt;
    if (!position || *position < 0) in.refuse("The next token is not valid.");
    first = static_cast<std::size_t>(*position);
  }
  std::size_t last = std::min(first + in.page_size("MaxResults", otherwise, 1000), items.size());
  Json list = Json::array();
  for (std::size_t i = first; i < last; ++i) list.push_back(std::move(items[i]));
  Json answer = Json::object();
  answer[set] = std::move(list);
  if (last < items.size()) answer["NextToken"] = page_token(std::to_string(last));
  return answer;
}

bool passes(const Call& call,
            const std::function<std::optional<std::string>(const std::string&)>& value_of) {
  for (const auto& filter : call.input.get_array("Filters")) {
    auto value = value_of(filter.get_string("Name"));
    if (!value) continue;
    bool is_prefix = filter.get_string("Condition") == "BEGINS_WITH";
    const auto& wanted = filter.get_array("Values");
    bool met = std::any_of(wanted.begin(), wanted.end(), [&](const Json& each) {
      const std::string& text = each.as_string();
      return is_prefix ? value->starts_with(text) : *value == text;
    });
    if (!met) return false;
  }
  return true;
}

std::string last_segment(const std::string& id_or_arn) {
  auto slash = id_or_arn.rfind('/');
  return slash == std::string::npos ? id_or_arn : id_or_arn.substr(slash + 1);
}

Json Discovery::need_namespace(const Call& call, const std::string& id) {
  auto found = registry_.find_namespace(scope_of(call), last_segment(id));
  if (!found) refuse("NamespaceNotFound", fmt::format("Namespace {} could not be found.", id));
  return *found;
}

Json Discovery::shown_namespace(const Call& call, Json document) {
  document.erase("Tags");
  auto services = registry_.services(scope_of(call));
  document["ServiceCount"] = std::count_if(services.begin(), services.end(), [&](const Json& each) {
    return each.get_string("NamespaceId") == document.get_string("Id");
  });
  document["ResourceOwner"] = call.account;
  return document;
}

Json Discovery::done(const Call& call, const char* type, const char* target,
                     const std::string& id) {
  std::string operation = to_lower(random_id(32)) + "-" + to_lower(random_id(8));
  double now = formats::epoch_seconds(call.now);
  Json targets = Json::object();
  targets[target] = id;
  state_.write([&](Tables& tables) {
    tables.put(kOperationKind, scope_of(call), operation,
               Json::object({{"Id", operation},
                             {"OwnerAccount", call.account},
                             {"Type", type},
                             {"Status", "SUCCESS"},
                             {"CreateDate", now},
                             {"UpdateDate", now},
                             {"Targets", std::move(targets)}}));
  });
  return Json::object({{"OperationId", operation}});
}

Json Discovery::create_namespace(const Call& call) {
  Input in(call.input, kBad);
  Scope scope = scope_of(call);
  bool is_dns = call.operation == "CreatePrivateDnsNamespace";
  std::string name = in.text("Name");
  if (is_dns && !is_dns_name(name)) in.refuse("Namespace name is not a valid domain name: " + name);
  if (is_dns) {
    std::string vpc = in.text("Vpc");
    if (!state_.read([&](Tables& tables) { return tables.get("ec2.vpc", scope, vpc); }))
      in.refuse(fmt::format("The VPC {} in region {} does not exist.", vpc, call.region));
  }
  if (auto present = registry_.namespace_called(scope, name)) {
    throw Refusal("NamespaceAlreadyExists",
                  fmt::format("Namespace with name {} already exists.", name), 400,
                  Json::object({{"NamespaceId", present->get_string("Id")},
                                {"CreatorRequestId", present->get_string("CreatorRequestId")}}));
  }
  std::string id = "ns-" + to_lower(random_id(16));
  Json properties = is_dns ? zone_properties(call, "Z" + random_id(20)) : Json::object();
  properties["HttpProperties"] = Json::object({{"HttpName", name}});
  Json document =
      Json::object({{"Id", id},
                    {"Arn", resource_arn(scope, "namespace", id)},
                    {"Name", name},
                    {"Type", is_dns ? "DNS_PRIVATE" : "HTTP"},
                    {"Properties", std::move(properties)},
                    {"CreateDate", formats::epoch_seconds(call.now)},
                    {"CreatorRequestId", in.text_or("CreatorRequestId", call.request_id)},
                    {"Tags", Json(in.items("Tags"))}});
  if (auto text = in.optional_text("Description")) document["Description"] = *text;
  registry_.put_namespace(scope, document);
  return done(call, "CREATE_NAMESPACE", "NAMESPACE", id);
}

Json Discovery::refuse_public_namespace(const Call&) {
  refuse(kBad,
         "slipway: public DNS namespaces are not supported yet: there is no public DNS; private "
         "and HTTP ones are");
}

Json Discovery::update_namespace(const Call& call) {
  Json document = need_namespace(call, Input(call.input, kBad).text("Id"));
  const Json& changes = call.input.at("Namespace");
  if (const Json* text = changes.find("Description")) document["Description"] = *text;
  if (const Json* properties = changes.find("Properties")) {
    document["Properties"]["DnsProperties"]["SOA"] = properties->at("DnsProperties").at("SOA");
  }
  registry_.put_namespace(scope_of(call), document);
  return done(call, "UPDATE_NAMESPACE", "NAMESPACE", document.get_string("Id"));
}

Json Discovery::delete_namespace(const Call& call) {
  Json document = need_namespace(call, Input(call.input, kBad).text("Id"));
  std::string id = document.get_string("Id");
  if (shown_namespace(call, document).get_int("ServiceCount") > 0) {
    refuse("ResourceInUse",
           "Namespace has associated services; delete the services before deleting the namespace");
  }
  registry_.erase_namespace(scope_of(call), id);
  return done(call, "DELETE_NAMESPACE", "NAMESPACE", id);
}

Json Discovery::get_namespace(const Call& call) {
  Json document = need_namespace(call, Input(call.input, kBad).text("Id"));
  return Json::object({{"Namespace", shown_namespace(call, document)}});
}

Json Discovery::list_namespaces(const Call& call) {
  std::vector<Json> found;
  for (auto& each : registry_.namespaces(scope_of(call))) {
    bool is_wanted = passes(call, [&](const std::string& filter) -> std::optional<std::string> {
      if (filter == "TYPE") return each.get_string("Type");
      if (filter == "RESOURCE_OWNER") return "SELF";
      return each.get_string("Name");
    });
    if (!is_wanted) continue;
    each = shown_namespace(call, std::move(each));
    each.erase("CreatorRequestId");
    found.push_back(std::move(each));
  }
  return page(call, "Namespaces", std::move(found), 100);
}

Json Discovery::get_operation(const Call& call) {
  std::string id = Input(call.input, kBad).text("OperationId");
  auto found =
      state_.read([&](Tables& tables) { return tables.get(kOperationKind, scope_of(call), id); });
  if (!found) refuse("OperationNotFound", fmt::format("Operation {} could not be found.", id));
  return Json::object({{"Operation", *found}});
}

Json Discovery::list_operations(const Call& call) {
  std::vector<Json> found;
  for (const auto& row :
       state_.read([&](Tables& tables) { return tables.list(kOperationKind, scope_of(call)); })) {
    bool is_wanted = passes(call, [&](const std::string& filter) -> std::optional<std::string> {
      const Json& targets = row.body.at("Targets");
      if (filter == "STATUS") return row.body.get_string("Status");
      if (filter == "TYPE") return row.body.get_string("Type");
      if (filter == "NAMESPACE_ID") return targets.get_string("NAMESPACE");
      if (filter == "SERVICE_ID") return targets.get_string("SERVICE");
      return std::nullopt;
    });
    if (is_wanted) found.push_back(Json::object({{"Id", row.id}, {"Status", "SUCCESS"}}));
  }
  return page(call, "Operations", std::move(found), 100);
}

void Discovery::change_tags(const Call& call, const std::function<void(Json::Array&)>& use) {
  Scope scope = scope_of(call);
  std::string resource = Input(call.input, kBad).text("ResourceARN");
  std::string id = last_segment(resource);
  auto space = registry_.find_namespace(scope, id);
  auto service = registry_.find_service(scope, id);
  if (!space && !service)
    refuse("ResourceNotFoundException", fmt::format("Resource {} could not be found.", resource));
  Json document = space ? *space : *service;
  Json::Array tags = document.get_array("Tags");
  Json::Array before = tags;
  use(tags);
  if (tags == before) return;
  document["Tags"] = std::move(tags);
  space ? registry_.put_namespace(scope, document) : registry_.put_service(scope, document);
}

Json Discovery::tag_resource(const Call& call) {
  auto given = Input(call.input, kBad).items("Tags");
  change_tags(call, [&](Json::Array& tags) {
    for (const auto& tag : given) {
      std::erase_if(
          tags, [&](const Json& old) { return old.get_string("Key") == tag.get_string("Key"); });
      tags.push_back(tag);
    }
  });
  return Json::object();
}

Json Discovery::untag_resource(const Call& call) {
  auto keys = Input(call.input, kBad).texts("TagKeys");
  change_tags(call, [&](Json::Array& tags) {
    std::erase_if(tags, [&](const Json& tag) {
      return std::find(keys.begin(), keys.end(), tag.get_string("Key")) != keys.end();
    });
  });
  return Json::object();
}

Json Discovery::list_tags_for_resource(const Call& call) {
  Json list = Json::array();
  change_tags(call, [&](Json::Array& tags) { list = Json(tags); });
  return Json::object({{"Tags", std::move(list)}});
}

std::unique_ptr<Service> make_discovery(State& state, Registry& registry) {
  return std::make_unique<Discovery>(state, registry);
}

}  // namespace slipway::cloud::discovery
