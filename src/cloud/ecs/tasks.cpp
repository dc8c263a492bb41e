// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cloud/ec2/security_groups.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/ecs/volumes.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

void check_overrides(const Json& overrides, const Json& definition) {
  for (const auto& item : overrides.get_array("containerOverrides")) {
    const auto& containers = definition.get_array("containerDefinitions");
    bool known = std::any_of(containers.begin(), containers.end(), [&](const Json& c) {
      return c.get_string("name") == item.get_string("name");
    });
    if (!known)
      refuse("InvalidParameterException", "Override for container named " +
                                              item.get_string("name") +
                                              " is not a container in the TaskDefinition.");
  }
}

}  // namespace

Json Ecs::run_task(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string cluster = existing_cluster(call);
  Json definition = find_task_definition(call, in.text("taskDefinition"), true);
  check_pass_role(call, definition);
  auto wanted = in.integer_or("count", 1);
  if (wanted < 1 || wanted > 10)
    refuse("InvalidParameterException", "count must be between 1 and 10.");
  Json network = call.input.contains("networkConfiguration") ? call.input.at("networkConfiguration")
                                                             : Json::object();
  if (definition.get_string("networkMode") == "awsvpc") {
    const Json* vpc = network.find("awsvpcConfiguration");
    if (!vpc || vpc->get_array("subnets").empty()) {
      refuse("InvalidParameterException",
             "Network Configuration must be provided when networkMode 'awsvpc' is specified.");
    }
    ec2::check_awsvpc(engine_.around().state, scope_of(call), *vpc);
  }
  Json overrides = call.input.contains("overrides") ? call.input.at("overrides") : Json::object();
  check_overrides(overrides, definition);
  if (auto error = engine_.launch_error(definition); !error.empty())
    refuse("ClientException", error);
  bool can_execute = in.boolean_or("enableExecuteCommand", false);
  check_can_execute(can_execute, definition, "task couldn't be run");
  const auto& configurations = call.input.get_array("volumeConfigurations");
  check_volumes_at_launch(call, configurations, definition);
  Json tasks = Json::array();
  engine_.change([&](World& world) {
    for (std::int64_t i = 0; i < wanted; ++i) {
      Task task = new_task(scope_of(call), cluster, definition, now_ms());
      task.group = in.text_or("group", "family:" + definition.get_string("family"));
      task.started_by = in.text_or("startedBy");
      task.network = network;
      task.overrides = overrides;
      task.volumes = attached_volumes(configurations);
      if (const Json* tags = call.input.find("tags"); tags && tags->is_array()) task.tags = *tags;
      task.can_execute = can_execute;
      tasks.push_back(describe(task));
      std::string key = full_key(task.scope, task.key());
      world.dirty_tasks.insert(key);
      world.tasks.emplace(key, std::move(task));
    }
  });
  return Json::object({{"tasks", tasks}, {"failures", Json::array()}});
}

Json Ecs::stop_task(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string key =
      full_key(scope_of(call), existing_cluster(call) + "/" + last_part(in.text("task")));
  std::string reason = in.text_or("reason", "Task stopped by user");
  return engine_.change([&](World& world) {
    auto it = world.tasks.find(key);
    if (it == world.tasks.end())
      refuse("InvalidParameterException", "The referenced task was not found.");
    engine_.request_stop(world, it->second, "UserInitiated", reason);
    return Json::object({{"task", describe(it->second)}});
  });
}

Json Ecs::describe_tasks(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  auto names = in.texts("tasks");
  if (names.empty()) refuse("InvalidParameterException", "Tasks cannot be empty.");
  if (names.size() > 100)
    refuse("InvalidParameterException", "Tasks cannot have more than 100 items.");
  std::string cluster = existing_cluster(call);
  Scope scope = scope_of(call);
  return engine_.read([&](const World& world) {
    Json tasks = Json::array();
    Json failures = Json::array();
    for (const auto& name : names) {
      auto it = world.tasks.find(full_key(scope, cluster + "/" + last_part(name)));
      if (it == world.tasks.end()) {
        failures.push_back(Json::object({{"arn", arn("ecs", scope.region, scope.account,
                                                     "task/" + cluster + "/" + last_part(name))},
                                         {"reason", "MISSING"}}));
      } else {
        tasks.push_back(describe(it->second));
      }
    }
    return Json::object({{"tasks", tasks}, {"failures", failures}});
  });
}

Json Ecs::list_tasks(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string prefix = full_key(scope_of(call), existing_cluster(call) + "/");
  std::string service = last_part(in.text_or("serviceName"));
  std::string family = in.text_or("family");
  std::string started_by = in.text_or("startedBy");
  std::string status = in.text_or("desiredStatus", "RUNNING");
  auto most = in.page_size("maxResults", 100, 100);
  std::string after = prefix;
  if (auto token = in.optional_text("nextToken")) {
    auto position = read_page_token(*token);
    if (!position) refuse("InvalidParameterException", "Invalid token");
    after = *position;
  }
  return engine_.read([&](const World& world) {
    if (!service.empty() && !world.services.contains(prefix + service))
      refuse("ServiceNotFoundException", "Service not found.");
    Json arns = Json::array();
    Json out = Json::object();
    std::string last;
    for (auto it = world.tasks.upper_bound(after);
         it != world.tasks.end() && it->first.starts_with(prefix); ++it) {
      const Task& task = it->second;
      if (task.desired_status != status || (!service.empty() && task.service != service) ||
          (!family.empty() &&
           task.task_definition_arn.find("task-definition/" + family + ":") == std::string::npos) ||
          (!started_by.empty() && task.started_by != started_by)) {
        continue;
      }
      if (arns.size() == most) {
        out["nextToken"] = page_token(last);
        break;
      }
      arns.push_back(task_arn(task));
      last = it->first;
    }
    out["taskArns"] = arns;
    return out;
  });
}

namespace {

Json protection_json(const Task& task) {
  Json out = Json::object(
      {{"taskArn", task_arn(task)}, {"protectionEnabled", task.protected_until > now_ms()}});
  if (task.protected_until > now_ms())
    out["expirationDate"] = static_cast<double>(task.protected_until) / 1000.0;
  return out;
}

}  // namespace

// GetTaskProtection and UpdateTaskProtection.
Json Ecs::task_protection(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  bool updates = call.operation == "UpdateTaskProtection";
  auto names = in.texts("tasks");
  if (updates && names.empty()) refuse("InvalidParameterException", "Tasks cannot be empty.");
  if (updates && !in.has("protectionEnabled"))
    refuse("InvalidParameterException", "protectionEnabled must be specified.");
  bool enabled = in.boolean_or("protectionEnabled", false);
  auto minutes = in.integer_or("expiresInMinutes", 120);
  if (minutes < 1 || minutes > 2880)
    refuse("InvalidParameterException", "expiresInMinutes must be between 1 and 2880.");
  std::string cluster = existing_cluster(call);
  Scope scope = scope_of(call);
  Json found = Json::array();
  Json failures = Json::array();
  auto fails = [&](const std::string& name, const char* reason) {
    failures.push_back(Json::object({{"arn", arn("ecs", scope.region, scope.account,
                                                 "task/" + cluster + "/" + last_part(name))},
                                     {"reason", reason}}));
  };
  engine_.change([&](World& world) {
    for (const auto& name : names) {
      auto it = world.tasks.find(full_key(scope, cluster + "/" + last_part(name)));
      if (it == world.tasks.end()) {
        fails(name, "MISSING");
      } else if (it->second.service.empty()) {
        fails(name, "TASK_NOT_VALID");
      } else {
        if (updates) {
          it->second.protected_until = enabled ? now_ms() + minutes * 60'000 : 0;
          world.dirty_tasks.insert(it->first);
        }
        found.push_back(protection_json(it->second));
      }
    }
  });
  return Json::object({{"protectedTasks", found}, {"failures", failures}});
}

}  // namespace slipway::cloud::ecs
