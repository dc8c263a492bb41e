// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/ecs/task_definition.hpp"
#include "cloud/ecs/volumes.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::string_view kKind = "ecs.taskdef";

std::string row_id(const std::string& family, std::int64_t revision) {
  return fmt::format("{}:{:010}", family, revision);
}

// The API's shape: stored rows keep the tags beside the definition.
Json without_tags(Json stored) {
  stored.erase("tags");
  return stored;
}

Json answer(const Json& stored) {
  Json out = Json::object({{"taskDefinition", without_tags(stored)}});
  if (const Json* tags = stored.find("tags")) out["tags"] = *tags;
  return out;
}

}  // namespace

Json Ecs::register_task_definition(const Call& call) {
  Json definition = normalised_task_definition(call.input);
  check_pass_role(call, definition);
  std::string family = definition.get_string("family");
  Scope scope = scope_of(call);
  definition["status"] = "ACTIVE";
  definition["registeredAt"] = formats::epoch_seconds(call.now);
  definition["registeredBy"] = call.caller.arn;
  if (const Json* tags = call.input.find("tags"); tags && !tags->empty())
    definition["tags"] = *tags;
  engine_.around().state.write([&](Tables& tables) {
    auto revision = tables.next_number(kKind, scope, family);
    definition["revision"] = revision;
    definition["taskDefinitionArn"] = arn("ecs", scope.region, scope.account,
                                          fmt::format("task-definition/{}:{}", family, revision));
    tables.put(kKind, scope, row_id(family, revision), definition);
  });
  return answer(definition);
}

// iam:PassRole for the roles that the tasks will run under, as the service checks it.
void Ecs::check_pass_role(const Call& call, const Json& definition) const {
  for (const char* key : {"taskRoleArn", "executionRoleArn"}) {
    std::string role = definition.get_string(key);
    if (role.empty()) continue;
    engine_.around().authoriser.require(
        {"iam:PassRole", role, {{"iam:PassedToService", {"ecs-tasks.amazonaws.com"}}}}, call,
        Protocol::json_1_1);
  }
}

// What is given for the volumes that are configured at launch; ECS makes them under a role that the caller must be allowed to pass.
void Ecs::check_volumes_at_launch(const Call& call, const Json::Array& configurations,
                                  const Json& definition) const {
  check_volume_configurations(configurations, definition);
  for (const auto& one : configurations) {
    engine_.around().authoriser.require({"iam:PassRole",
                                         one.at("managedEBSVolume").get_string("roleArn"),
                                         {{"iam:PassedToService", {"ecs.amazonaws.com"}}}},
                                        call, Protocol::json_1_1);
  }
}

Json Ecs::find_task_definition(const Call& call, const std::string& name, bool active) {
  return find_task_definition(scope_of(call), name, active);
}

Json Ecs::find_task_definition(const Scope& scope, const std::string& name, bool active) {
  std::string plain = last_part(name);
  auto colon = plain.find(':');
  std::string family = plain.substr(0, colon);
  auto found = engine_.around().state.read([&](Tables& tables) -> std::optional<Json> {
    if (colon != std::string::npos) {
      auto revision = to_integer(plain.substr(colon + 1));
      return revision ? tables.get(kKind, scope, row_id(family, *revision)) : std::nullopt;
    }
    auto rows = tables.list(kKind, scope, family + ":");
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      if (row->body.get_string("status") == "ACTIVE") return row->body;
    }
    return std::nullopt;
  });
  if (!found)
    refuse("ClientException", colon == std::string::npos && !active
                                  ? "Unable to describe task definition."
                              : active ? "TaskDefinition not found."
                                       : "Unable to describe task definition.");
  if (active && found->get_string("status") != "ACTIVE")
    refuse("ClientException", "TaskDefinition is inactive");
  return *found;
}

Json Ecs::describe_task_definition(const Call& call) {
  Input in(call.input, "ClientException");
  Json stored = find_task_definition(call, in.text("taskDefinition"), false);
  auto include = in.texts("include");
  bool wants_tags = std::find(include.begin(), include.end(), "TAGS") != include.end();
  Json out = Json::object({{"taskDefinition", without_tags(stored)}});
  if (wants_tags) out["tags"] = stored.contains("tags") ? stored.at("tags") : Json::array();
  return out;
}

Json Ecs::deregister_task_definition(const Call& call) {
  std::string name = Input(call.input, "ClientException").text("taskDefinition");
  if (last_part(name).find(':') == std::string::npos)
    refuse("ClientException", "Revision number is required: " + name);
  Json stored = find_task_definition(call, name, false);
  stored["status"] = "INACTIVE";
  stored["deregisteredAt"] = formats::epoch_seconds(call.now);
  engine_.around().state.write([&](Tables& tables) {
    tables.put(kKind, scope_of(call),
               row_id(stored.get_string("family"), stored.get_int("revision")), stored);
  });
  return Json::object({{"taskDefinition", without_tags(stored)}});
}

// Deleted ones stay to be described while tasks use them; here they are only marked.
Json Ecs::delete_task_definitions(const Call& call) {
  auto names = Input(call.input, "InvalidParameterException").texts("taskDefinitions");
  if (names.empty() || names.size() > 10)
    refuse("InvalidParameterException", "Between 1 and 10 task definitions must be specified.");
  Json deleted = Json::array();
  Json failures = Json::array();
  for (const auto& name : names) {
    if (last_part(name).find(':') == std::string::npos)
      refuse("InvalidParameterException",
             "The specified task definition identifier must include a revision: " + name);
    auto fails = [&](const char* reason) {
      failures.push_back(Json::object(
          {{"arn", name.starts_with("arn:")
                       ? name
                       : arn("ecs", call.region, call.account, "task-definition/" + name)},
           {"reason", reason}}));
    };
    Json stored;
    try {
      stored = find_task_definition(call, name, false);
    } catch (const Refusal&) {
      fails(
          "The specified task definition does not exist. Specify a valid account, family, revision "
          "and try again.");
      continue;
    }
    if (stored.get_string("status") == "ACTIVE") {
      fails(
          "The specified task definition is still in ACTIVE status. Please deregister the target "
          "and try again.");
      continue;
    }
    stored["status"] = "DELETE_IN_PROGRESS";
    stored["deleteRequestedAt"] = formats::epoch_seconds(call.now);
    engine_.around().state.write([&](Tables& tables) {
      tables.put(kKind, scope_of(call),
                 row_id(stored.get_string("family"), stored.get_int("revision")), stored);
    });
    deleted.push_back(without_tags(stored));
  }
  return Json::object({{"taskDefinitions", deleted}, {"failures", failures}});
}

Json Ecs::list_task_definitions(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string family = in.text_or("familyPrefix");
  std::string status = in.text_or("status", "ACTIVE");
  std::vector<std::string> arns;
  for (const auto& row : engine_.around().state.read([&](Tables& tables) {
         return tables.list(kKind, scope_of(call), family.empty() ? "" : family + ":");
       })) {
    if (row.body.get_string("status") == status)
      arns.push_back(row.body.get_string("taskDefinitionArn"));
  }
  if (in.text_or("sort", "ASC") == "DESC") std::reverse(arns.begin(), arns.end());
  auto most = in.page_size("maxResults", 100, 100);
  std::size_t from = 0;
  if (auto token = in.optional_text("nextToken")) {
    auto after = read_page_token(*token);
    if (!after) refuse("InvalidParameterException", "Invalid token");
    auto at = std::find(arns.begin(), arns.end(), *after);
    from = at == arns.end() ? arns.size() : static_cast<std::size_t>(at - arns.begin()) + 1;
  }
  Json page = Json::array();
  std::size_t end = std::min(from + most, arns.size());
  for (std::size_t i = from; i < end; ++i) page.push_back(arns[i]);
  Json out = Json::object({{"taskDefinitionArns", page}});
  if (end < arns.size()) out["nextToken"] = page_token(arns[end - 1]);
  return out;
}

Json Ecs::list_task_definition_families(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string prefix = in.text_or("familyPrefix");
  std::string status = in.text_or("status", "ALL");
  std::map<std::string, bool> families;  // name → has an ACTIVE revision
  for (const auto& row : engine_.around().state.read(
           [&](Tables& tables) { return tables.list(kKind, scope_of(call), prefix); })) {
    families[row.body.get_string("family")] |= row.body.get_string("status") == "ACTIVE";
  }
  Json out = Json::array();
  for (const auto& [name, active] : families) {
    if (status == "ALL" || (status == "ACTIVE") == active) out.push_back(name);
  }
  return Json::object({{"families", out}});
}

}  // namespace slipway::cloud::ecs
