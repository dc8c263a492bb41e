// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/entities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cloud/iam/managed_policies.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/protocol.hpp"

namespace slipway::cloud::iam {
namespace {

constexpr std::string_view kInvalid = "ValidationError";

Scope account_scope(const Call& call) { return {call.account, ""}; }

// Reads, changes, writes an entity in one transaction.
template <typename Change>
Json change_entity(State& state, const EntityKind& kind, const Call& call, Change&& change) {
  Input in(call.input, kInvalid);
  auto name = in.text(kind.name_key);
  return state.write([&](Tables& tables) {
    auto entity = need_entity(tables, kind, account_scope(call), name);
    change(tables, in, entity);
    tables.put(kind.kind, account_scope(call), name, entity);
    return Json();
  });
}

Json read_entity(State& state, const EntityKind& kind, const Call& call) {
  Input in(call.input, kInvalid);
  auto name = in.text(kind.name_key);
  return state.read(
      [&](Tables& tables) { return need_entity(tables, kind, account_scope(call), name); });
}

std::string policy_name_of(const std::string& policy_arn) {
  return policy_arn.substr(policy_arn.rfind('/') + 1);
}

}  // namespace

void check_name(const Input& in, std::string_view name, std::string_view member, std::size_t most) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
  if (name.find_first_not_of(kAllowed) != std::string_view::npos) {
    in.refuse(
        fmt::format("The specified value for {} is invalid. It must contain only alphanumeric "
                    "characters and/or the following: +=,.@_-",
                    member));
  }
  if (name.size() > most)
    in.refuse(validation_message(
        name, member, fmt::format("Member must have length less than or equal to {}", most)));
}

std::string read_path(const Input& in) {
  auto path = in.text_or("Path", "/");
  if (!path.starts_with('/') || !path.ends_with('/') || path.size() > 512) {
    in.refuse(
        "The specified value for path is invalid. It must begin and end with / and contain only "
        "alphanumeric characters and/or / characters.");
  }
  return path;
}

Json need_entity(Tables& tables, const EntityKind& kind, const Scope& scope,
                 const std::string& name) {
  auto entity = tables.get(kind.kind, scope, name);
  if (!entity)
    throw Refusal("NoSuchEntity",
                  fmt::format("The {} with name {} cannot be found.", kind.noun, name), 404);
  return *entity;
}

Json new_entity(Tables& tables, const EntityKind& kind, const Scope& scope, const Input& in,
                Time now) {
  auto name = in.text(kind.name_key);
  check_name(in, name, kind.name_key == "RoleName" ? "roleName" : "userName", 64);
  auto path = read_path(in);
  if (tables.get(kind.kind, scope, name)) {
    auto noun = std::string(kind.noun);
    noun.front() = static_cast<char>(noun.front() - 'a' + 'A');
    throw Refusal("EntityAlreadyExists", fmt::format("{} with name {} already exists.", noun, name),
                  409);
  }
  Json entity = Json::object({{"Path", path}});
  entity[kind.name_key] = name;
  entity[kind.noun == "role" ? "RoleId" : "UserId"] = std::string(kind.id_prefix) + random_id(17);
  entity["Arn"] = arn("iam", "", scope.account, fmt::format("{}{}{}", kind.noun, path, name));
  entity["CreateDate"] = formats::iso8601(now);
  entity["tags"] = Json::array({});
  entity["inline"] = Json::object({});
  entity["attached"] = Json::array({});
  put_tags(entity, in);
  return entity;
}

void check_deletable(const Json& entity) {
  if (!entity.get_array("attached").empty()) {
    throw Refusal("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409);
  }
  if (const auto* inline_policies = entity.find("inline");
      inline_policies != nullptr && !inline_policies->empty()) {
    throw Refusal("DeleteConflict", "Cannot delete entity, must delete policies first.", 409);
  }
}

void put_tags(Json& entity, const Input& in) {
  auto& tags = entity["tags"];
  if (tags.is_null()) tags = Json::array({});
  for (const auto& tag : in.items("Tags")) {
    auto key = tag.get_string("Key");
    if (key.empty() || key.size() > 128)
      in.refuse(
          validation_message(key, "tags.member.key", "Member must have length between 1 and 128"));
    auto& all = tags.as_array();
    std::erase_if(all, [&](const Json& each) { return each.get_string("Key") == key; });
    all.push_back(Json::object({{"Key", key}, {"Value", tag.get_string("Value")}}));
  }
}

void remove_tags(Json& entity, const Input& in) {
  for (const auto& key : in.texts("TagKeys")) {
    std::erase_if(entity["tags"].as_array(),
                  [&](const Json& each) { return each.get_string("Key") == key; });
  }
}

Json put_inline_policy(State& state, const EntityKind& kind, const Call& call) {
  return change_entity(state, kind, call, [](Tables&, const Input& in, Json& entity) {
    auto name = in.text("PolicyName");
    check_name(in, name, "policyName", 128);
    auto document = in.text("PolicyDocument");
    parse_policy(document, PolicyKind::identity);
    entity["inline"][name] = document;
  });
}

Json get_inline_policy(State& state, const EntityKind& kind, const Call& call) {
  auto entity = read_entity(state, kind, call);
  auto name = Input(call.input, kInvalid).text("PolicyName");
  const auto* document = entity.at("inline").find(name);
  if (document == nullptr)
    throw Refusal("NoSuchEntity",
                  fmt::format("The {} policy with name {} cannot be found.", kind.noun, name), 404);
  Json answer = Json::object(
      {{"PolicyName", name}, {"PolicyDocument", percent_encode(document->as_string())}});
  answer[kind.name_key] = entity.get_string(kind.name_key);
  return answer;
}

Json delete_inline_policy(State& state, const EntityKind& kind, const Call& call) {
  return change_entity(state, kind, call, [&](Tables&, const Input& in, Json& entity) {
    auto name = in.text("PolicyName");
    if (!entity["inline"].erase(name)) {
      throw Refusal("NoSuchEntity",
                    fmt::format("The {} policy with name {} cannot be found.", kind.noun, name),
                    404);
    }
  });
}

Json list_inline_policies(State& state, const EntityKind& kind, const Call& call) {
  auto entity = read_entity(state, kind, call);
  std::vector<Json> names;
  for (const auto& [name, document] : entity.at("inline").as_object()) names.emplace_back(name);
  return page_of(Input(call.input, kInvalid), "PolicyNames", names);
}

Json need_policy(Tables& tables, const std::string& account, const std::string& arn) {
  if (const auto* managed = find_managed_policy(arn)) {
    return Json::object(
        {{"PolicyName", managed->name},
         {"PolicyId", "ANPA" + to_upper(hex(std::string(managed->name))).substr(0, 17)},
         {"Arn", arn},
         {"Path", managed->path},
         {"DefaultVersionId", "v1"},
         {"Description", managed->description},
         {"CreateDate", "2015-02-06T18:40:00Z"},
         {"UpdateDate", "2015-02-06T18:40:00Z"},
         {"aws", true},
         {"versions",
          Json::object({{"v1", Json::object({{"Document", managed->document},
                                             {"CreateDate", "2015-02-06T18:40:00Z"}})}})}});
  }
  auto policy = tables.get("iam.policy", {account, ""}, arn);
  if (!policy)
    throw Refusal("NoSuchEntity",
                  fmt::format("Policy {} does not exist or is not attachable.", arn), 404);
  return *policy;
}

Json attach_policy(State& state, const EntityKind& kind, const Call& call) {
  return change_entity(state, kind, call, [&](Tables& tables, const Input& in, Json& entity) {
    auto policy_arn = in.text("PolicyArn");
    need_policy(tables, call.account, policy_arn);
    auto& attached = entity["attached"].as_array();
    if (std::find(attached.begin(), attached.end(), Json(policy_arn)) == attached.end())
      attached.emplace_back(policy_arn);
  });
}

Json detach_policy(State& state, const EntityKind& kind, const Call& call) {
  return change_entity(state, kind, call, [&](Tables&, const Input& in, Json& entity) {
    auto policy_arn = in.text("PolicyArn");
    if (std::erase(entity["attached"].as_array(), Json(policy_arn)) == 0) {
      throw Refusal("NoSuchEntity", fmt::format("Policy {} was not found.", policy_arn), 404);
    }
  });
}

Json list_attached_policies(State& state, const EntityKind& kind, const Call& call) {
  auto entity = read_entity(state, kind, call);
  std::vector<Json> policies;
  for (const auto& policy_arn : entity.get_array("attached")) {
    policies.push_back(Json::object(
        {{"PolicyName", policy_name_of(policy_arn.as_string())}, {"PolicyArn", policy_arn}}));
  }
  return page_of(Input(call.input, kInvalid), "AttachedPolicies", policies);
}

Json page_of(const Input& in, std::string_view key, const std::vector<Json>& items) {
  auto size = in.page_size("MaxItems", 100, 1000);
  std::size_t start = 0;
  if (auto marker = in.optional_text("Marker")) {
    auto position = read_page_token(*marker);
    auto number = position ? to_integer(*position) : std::nullopt;
    if (!number || *number < 0) in.refuse(fmt::format("Invalid Marker: {}", *marker));
    start = static_cast<std::size_t>(*number);
  }
  Json page = Json::array({});
  auto end = std::min(items.size(), start + size);
  for (std::size_t i = start; i < end; ++i) page.push_back(items[i]);
  Json answer = Json::object({});
  answer[key] = std::move(page);
  answer["IsTruncated"] = end < items.size();
  if (end < items.size()) answer["Marker"] = page_token(std::to_string(end));
  return answer;
}

}  // namespace slipway::cloud::iam
