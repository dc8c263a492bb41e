// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cloud/ecs/api.hpp"
#include "cloud/ecs/service_names.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

Json describe_cluster(const World& world, const Scope& scope, const std::string& name,
                      const Json& stored) {
  int running = 0;
  int pending = 0;
  int services = 0;
  for (const auto& [key, task] : world.tasks) {
    if (task.scope != scope || task.cluster != name || task.has_stopped()) continue;
    ++(task.last_status == "RUNNING" ? running : pending);
  }
  for (const auto& [key, service] : world.services) {
    if (service.scope == scope && service.cluster == name && service.status != "INACTIVE")
      ++services;
  }
  Json out = Json::object({{"clusterArn", cluster_arn(scope, name)},
                           {"clusterName", name},
                           {"status", "ACTIVE"},
                           {"registeredContainerInstancesCount", 0},
                           {"runningTasksCount", running},
                           {"pendingTasksCount", pending},
                           {"activeServicesCount", services}});
  for (const char* key :
       {"tags", "settings", "capacityProviders", "defaultCapacityProviderStrategy", "configuration",
        "serviceConnectDefaults"}) {
    const Json* value = stored.find(key);
    if (value) {
      out[key] = *value;
    } else if (std::string_view(key) != "configuration" &&
               std::string_view(key) != "serviceConnectDefaults") {
      out[key] = Json::array();
    }
  }
  out["statistics"] = Json::array();
  return out;
}

bool is_cluster_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::string tag_kind(const std::string& resource) {
  auto parsed = parse_arn(resource);
  if (!parsed || parsed->service != "ecs")
    refuse("InvalidParameterException", "Invalid ARN: " + resource);
  return parsed->resource.substr(0, parsed->resource.find('/'));
}

// Adds, replaces or removes tags in a list of {key, value}.
void change_tags(Json& tags, const std::vector<Json>& add, const std::vector<std::string>& remove) {
  Json::Array kept;
  auto is_named = [&](const Json& tag) {
    std::string key = tag.get_string("key");
    return std::find(remove.begin(), remove.end(), key) != remove.end() ||
           std::any_of(add.begin(), add.end(),
                       [&](const Json& other) { return other.get_string("key") == key; });
  };
  for (const auto& tag : tags.is_array() ? tags.as_array() : Json::Array{}) {
    if (!is_named(tag)) kept.push_back(tag);
  }
  kept.insert(kept.end(), add.begin(), add.end());
  tags = std::move(kept);
}

}  // namespace

std::string Ecs::existing_cluster(const Call& call) {
  std::string name =
      last_part(Input(call.input, "InvalidParameterException").text_or("cluster", "default"));
  bool exists = engine_.read(
      [&](const World& world) { return world.clusters.contains(full_key(scope_of(call), name)); });
  if (!exists) refuse("ClusterNotFoundException", "Cluster not found.");
  return name;
}

Json Ecs::create_cluster(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string name = in.text_or("clusterName", "default");
  if (!is_cluster_name(name))
    refuse("InvalidParameterException",
           "Identifier is an unexpected length or contains invalid characters: " + name);
  Json stored = Json::object({{"clusterName", name}});
  for (const char* key : {"tags", "settings", "capacityProviders",
                          "defaultCapacityProviderStrategy", "configuration"}) {
    if (const Json* value = call.input.find(key)) stored[key] = *value;
  }
  Scope scope = scope_of(call);
  set_default_namespace(stored, given_namespace(call));
  engine_.around().state.write([&](Tables& tables) {
    if (auto present = tables.get("ecs.cluster", scope, name)) {
      stored = *present;  // creating a cluster again gives the one that is there
    } else {
      tables.put("ecs.cluster", scope, name, stored);
    }
  });
  engine_.change([&](World& world) { world.clusters.insert(full_key(scope, name)); });
  return cluster_answer(scope, name);
}

std::optional<std::string> Ecs::given_namespace(const Call& call) {
  const Json* given = call.input.find("serviceConnectDefaults");
  if (given == nullptr) return std::nullopt;
  return settled_namespace(engine_.around(), scope_of(call), given->get_string("namespace"));
}

void Ecs::set_default_namespace(Json& cluster, const std::optional<std::string>& space) {
  if (!space) return;
  cluster.erase("serviceConnectDefaults");
  if (!space->empty()) cluster["serviceConnectDefaults"] = Json::object({{"namespace", *space}});
}

std::string Ecs::default_namespace(const Scope& scope, const std::string& cluster) {
  auto stored = engine_.around().state.read(
      [&](Tables& tables) { return tables.get("ecs.cluster", scope, cluster); });
  const Json* defaults = stored ? stored->find("serviceConnectDefaults") : nullptr;
  return defaults == nullptr ? "" : defaults->get_string("namespace");
}

Json Ecs::cluster_answer(const Scope& scope, const std::string& name) {
  Json stored =
      engine_.around()
          .state.read([&](Tables& tables) { return tables.get("ecs.cluster", scope, name); })
          .value_or(Json::object());
  return engine_.read([&](const World& world) {
    return Json::object({{"cluster", describe_cluster(world, scope, name, stored)}});
  });
}

Json Ecs::describe_clusters(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  auto names = in.texts("clusters");
  if (names.empty()) names = {"default"};
  Scope scope = scope_of(call);
  Json clusters = Json::array();
  Json failures = Json::array();
  for (const auto& given : names) {
    std::string name = last_part(given);
    auto stored = engine_.around().state.read(
        [&](Tables& tables) { return tables.get("ecs.cluster", scope, name); });
    if (stored) {
      clusters.push_back(engine_.read(
          [&](const World& world) { return describe_cluster(world, scope, name, *stored); }));
    } else {
      failures.push_back(Json::object({{"arn", cluster_arn(scope, name)}, {"reason", "MISSING"}}));
    }
  }
  return Json::object({{"clusters", clusters}, {"failures", failures}});
}

Json Ecs::list_clusters(const Call& call) {
  Json arns = Json::array();
  Scope scope = scope_of(call);
  for (const auto& stored : engine_.around().state.read(
           [&](Tables& tables) { return tables.list("ecs.cluster", scope); })) {
    arns.push_back(cluster_arn(scope, stored.id));
  }
  return Json::object({{"clusterArns", arns}});
}

Json Ecs::delete_cluster(const Call& call) {
  std::string name = existing_cluster(call);
  Scope scope = scope_of(call);
  Json last = engine_.change([&](World& world) {
    for (const auto& [key, service] : world.services) {
      if (service.scope == scope && service.cluster == name && service.status != "INACTIVE") {
        refuse("ClusterContainsServicesException",
               "The Cluster cannot be deleted while Services are active.");
      }
    }
    for (const auto& [key, task] : world.tasks) {
      if (task.scope == scope && task.cluster == name && !task.has_stopped()) {
        refuse("ClusterContainsTasksException",
               "The Cluster cannot be deleted while Tasks are active.");
      }
    }
    world.clusters.erase(full_key(scope, name));
    return describe_cluster(world, scope, name, Json::object());
  });
  engine_.around().state.write([&](Tables& tables) { tables.erase("ecs.cluster", scope, name); });
  last["status"] = "INACTIVE";
  return Json::object({{"cluster", last}});
}

Json Ecs::tag_resource(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string resource = in.text("resourceArn");
  std::string kind = tag_kind(resource);
  auto add = in.items("tags");
  auto remove = in.texts("tagKeys");
  Scope scope = scope_of(call);
  if (kind == "service" || kind == "task") {
    engine_.change([&](World& world) {
      for (auto& [key, service] : world.services) {
        if (kind != "service" || service_arn(service) != resource) continue;
        change_tags(service.tags, add, remove);
        world.dirty_services.insert(key);
        return;
      }
      for (auto& [key, task] : world.tasks) {
        if (kind != "task" || task_arn(task) != resource) continue;
        change_tags(task.tags, add, remove);
        world.dirty_tasks.insert(key);
        return;
      }
      refuse("InvalidParameterException", "The specified resource does not exist: " + resource);
    });
    return Json::object();
  }
  std::string table = kind == "cluster" ? "ecs.cluster" : "ecs.taskdef";
  std::string id = last_part(resource);
  if (kind == "task-definition") {
    auto colon = id.find(':');
    if (colon == std::string::npos) refuse("InvalidParameterException", "Invalid ARN: " + resource);
    id = fmt::format("{}:{:0>10}", id.substr(0, colon), id.substr(colon + 1));
  }
  engine_.around().state.write([&](Tables& tables) {
    auto stored = tables.get(table, scope, id);
    if (!stored)
      refuse("InvalidParameterException", "The specified resource does not exist: " + resource);
    change_tags((*stored)["tags"], add, remove);
    tables.put(table, scope, id, *stored);
  });
  return Json::object();
}

Json Ecs::untag_resource(const Call& call) { return tag_resource(call); }

Json Ecs::list_tags_for_resource(const Call& call) {
  std::string resource = Input(call.input, "InvalidParameterException").text("resourceArn");
  std::string kind = tag_kind(resource);
  Json tags = Json::array();
  if (kind == "service" || kind == "task") {
    tags = engine_.read([&](const World& world) {
      for (const auto& [key, service] : world.services) {
        if (kind == "service" && service_arn(service) == resource) return service.tags;
      }
      for (const auto& [key, task] : world.tasks) {
        if (kind == "task" && task_arn(task) == resource) return task.tags;
      }
      refuse("InvalidParameterException", "The specified resource does not exist: " + resource);
    });
  } else if (kind == "cluster") {
    auto stored = engine_.around().state.read([&](Tables& tables) {
      return tables.get("ecs.cluster", scope_of(call), last_part(resource));
    });
    if (!stored) refuse("ClusterNotFoundException", "Cluster not found.");
    if (const Json* present = stored->find("tags")) tags = *present;
  } else {
    Json stored = find_task_definition(call, resource, false);
    if (const Json* present = stored.find("tags")) tags = *present;
  }
  return Json::object({{"tags", tags}});
}

}  // namespace slipway::cloud::ecs
