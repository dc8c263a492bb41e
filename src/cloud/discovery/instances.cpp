// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "cloud/discovery/api.hpp"

namespace slipway::cloud::discovery {
namespace {

Json attributes_json(const Instance& instance) {
  Json out = Json::object();
  for (const auto& [key, value] : instance.attributes) out[key] = value;
  return out;
}

bool has_attributes(const Instance& instance, const Json* wanted) {
  if (wanted == nullptr || !wanted->is_object()) return true;
  return std::all_of(wanted->as_object().begin(), wanted->as_object().end(), [&](const auto& one) {
    auto found = instance.attributes.find(one.first);
    return found != instance.attributes.end() && found->second == one.second.as_string();
  });
}

// Those that a discovery with this HealthStatus is told of. source Cloud Map API, DiscoverInstances
std::vector<Instance> of_health(std::vector<Instance> all, const std::string& wanted) {
  if (wanted == "ALL") return all;
  if (wanted == "HEALTHY_OR_ELSE_ALL") return in_service(std::move(all));
  bool is_healthy = wanted == "HEALTHY";
  std::erase_if(all,
                [&](const Instance& each) { return (each.health != "UNHEALTHY") != is_healthy; });
  return all;
}

}  // namespace

Json Discovery::register_instance(const Call& call) {
  Input in(call.input, kBad);
  Json service = need_service(call, in.text("ServiceId"));
  Instance instance{.id = in.text("InstanceId"), .attributes = {}};
  for (const auto& [key, value] : call.input.at("Attributes").as_object())
    instance.attributes[key] = value.as_string();
  check_attributes(in, service, instance);
  if (service.contains("HealthCheckCustomConfig")) {
    auto first = instance.attributes.find("AWS_INIT_HEALTH_STATUS");
    instance.health = first == instance.attributes.end() ? "HEALTHY" : first->second;
  }
  registry_.put_instance(scope_of(call), service.get_string("Id"), instance);
  return done(call, "REGISTER_INSTANCE", "INSTANCE", instance.id);
}

Json Discovery::deregister_instance(const Call& call) {
  Input in(call.input, kBad);
  Json service = need_service(call, in.text("ServiceId"));
  std::string id = in.text("InstanceId");
  if (!registry_.erase_instance(scope_of(call), service.get_string("Id"), id))
    refuse("InstanceNotFound", fmt::format("Instance {} could not be found.", id));
  return done(call, "DEREGISTER_INSTANCE", "INSTANCE", id);
}

Json Discovery::get_instance(const Call& call) {
  Input in(call.input, kBad);
  Json service = need_service(call, in.text("ServiceId"));
  std::string id = in.text("InstanceId");
  auto found = registry_.find_instance(scope_of(call), service.get_string("Id"), id);
  if (!found) refuse("InstanceNotFound", fmt::format("Instance {} could not be found.", id));
  return Json::object({{"ResourceOwner", call.account},
                       {"Instance", Json::object({{"Id", id},
                                                  {"Attributes", attributes_json(*found)},
                                                  {"CreatedByAccount", call.account}})}});
}

Json Discovery::list_instances(const Call& call) {
  Json service = need_service(call, Input(call.input, kBad).text("ServiceId"));
  std::vector<Json> found;
  for (const auto& each : registry_.instances(scope_of(call), service.get_string("Id"))) {
    found.push_back(Json::object({{"Id", each.id},
                                  {"Attributes", attributes_json(each)},
                                  {"CreatedByAccount", call.account}}));
  }
  Json answer = page(call, "Instances", std::move(found), 100);
  answer["ResourceOwner"] = call.account;
  return answer;
}

Json Discovery::get_instances_health_status(const Call& call) {
  Input in(call.input, kBad);
  Json service = need_service(call, in.text("ServiceId"));
  auto wanted = in.texts("Instances");
  auto all = registry_.instances(scope_of(call), service.get_string("Id"));
  for (const auto& id : wanted) {
    bool is_there = std::any_of(all.begin(), all.end(), [&](const auto& i) { return i.id == id; });
    if (!is_there) refuse("InstanceNotFound", fmt::format("Instance {} could not be found.", id));
  }
  Json status = Json::object();
  for (const auto& each : all) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), each.id) != wanted.end())
      status[each.id] = each.health;
  }
  return Json::object({{"Status", std::move(status)}});
}

Json Discovery::update_instance_custom_health_status(const Call& call) {
  Input in(call.input, kBad);
  Json service = need_service(call, in.text("ServiceId"));
  if (!service.contains("HealthCheckCustomConfig"))
    refuse("CustomHealthNotFound", "The service has no HealthCheckCustomConfig.");
  std::string id = in.text("InstanceId");
  if (!registry_.set_health(scope_of(call), service.get_string("Id"), id, in.text("Status")))
    refuse("InstanceNotFound", fmt::format("Instance {} could not be found.", id));
  return Json::object();
}

Json Discovery::service_named(const Call& call) {
  Input in(call.input, kBad);
  std::string space_name = in.text("NamespaceName");
  std::string name = in.text("ServiceName");
  auto space = registry_.namespace_called(scope_of(call), space_name);
  if (!space)
    refuse("NamespaceNotFound", fmt::format("Namespace {} could not be found.", space_name));
  auto service = registry_.service_called(scope_of(call), space->get_string("Id"), name);
  if (!service) refuse("ServiceNotFound", fmt::format("Service {} could not be found.", name));
  return *service;
}

Json Discovery::discover_instances(const Call& call) {
  Input in(call.input, kBad);
  Json service = service_named(call);
  auto all = registry_.instances(scope_of(call), service.get_string("Id"));
  std::erase_if(all, [&](const Instance& each) {
    return !has_attributes(each, call.input.find("QueryParameters"));
  });
  // What fits the optional parameters too comes alone, unless nothing does.
  auto preferred = all;
  std::erase_if(preferred, [&](const Instance& each) {
    return !has_attributes(each, call.input.find("OptionalParameters"));
  });
  if (!preferred.empty()) all = std::move(preferred);
  all = of_health(std::move(all), in.text_or("HealthStatus", "HEALTHY_OR_ELSE_ALL"));
  auto most = in.page_size("MaxResults", 100, 1000);
  Json list = Json::array();
  for (const auto& each : all) {
    if (list.size() == most) break;
    list.push_back(Json::object({{"InstanceId", each.id},
                                 {"NamespaceName", in.text("NamespaceName")},
                                 {"ServiceName", in.text("ServiceName")},
                                 {"HealthStatus", each.health},
                                 {"Attributes", attributes_json(each)}}));
  }
  return Json::object(
      {{"Instances", std::move(list)},
       {"InstancesRevision", registry_.revision(scope_of(call), service.get_string("Id"))}});
}

Json Discovery::discover_instances_revision(const Call& call) {
  Json service = service_named(call);
  return Json::object(
      {{"InstancesRevision", registry_.revision(scope_of(call), service.get_string("Id"))}});
}

}  // namespace slipway::cloud::discovery
