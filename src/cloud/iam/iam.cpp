// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/iam.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/iam/entities.hpp"
#include "cloud/iam/managed_policies.hpp"
#include "cloud/iam/oidc.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/iam/simulate.hpp"
#include "cloud/protocol.hpp"

namespace slipway::cloud::iam {
namespace {

constexpr std::string_view kBad = "ValidationError";

void add_if_there(Json& answer, const Json& entity, std::string_view key) {
  if (const auto* value = entity.find(key); value != nullptr && !value->is_null())
    answer[key] = *value;
}

Json role_json(const Json& role, bool with_tags) {
  Json answer = Json::object(
      {{"Path", role.at("Path")},
       {"RoleName", role.at("RoleName")},
       {"RoleId", role.at("RoleId")},
       {"Arn", role.at("Arn")},
       {"CreateDate", role.at("CreateDate")},
       {"AssumeRolePolicyDocument", percent_encode(role.get_string("AssumeRolePolicyDocument"))}});
  add_if_there(answer, role, "Description");
  answer["MaxSessionDuration"] = role.get_int("MaxSessionDuration", 3600);
  if (auto boundary = role.get_string("PermissionsBoundary"); !boundary.empty()) {
    answer["PermissionsBoundary"] =
        Json::object({{"PermissionsBoundaryType", "Policy"}, {"PermissionsBoundaryArn", boundary}});
  }
  if (with_tags) {
    if (!role.get_array("tags").empty()) answer["Tags"] = role.at("tags");
    answer["RoleLastUsed"] = Json::object({});
  }
  return answer;
}

Json user_json(const Json& user) {
  Json answer = Json::object({{"Path", user.at("Path")},
                              {"UserName", user.at("UserName")},
                              {"UserId", user.at("UserId")},
                              {"Arn", user.at("Arn")},
                              {"CreateDate", user.at("CreateDate")}});
  if (!user.get_array("tags").empty()) answer["Tags"] = user.at("tags");
  return answer;
}

Json version_json(const std::string& id, const Json& version, const std::string& default_id,
                  bool with_document) {
  Json answer = Json::object({{"VersionId", id},
                              {"IsDefaultVersion", id == default_id},
                              {"CreateDate", version.at("CreateDate")}});
  if (with_document) answer["Document"] = percent_encode(version.get_string("Document"));
  return answer;
}

class Iam final : public Service {
 public:
  Iam(State& state, sts::Sessions& sessions) : state_(state), sessions_(sessions) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "iam",
        .target_prefix = "",
        .api_version = "2010-05-08",
        .xml_namespace = "https://iam.amazonaws.com/doc/2010-05-08/",
        .protocol = Protocol::query,
        .host_prefixes = {"iam"},
        .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }

 private:
  static const Operations<Iam>& operations();
  Json simulate(const Call& call) { return simulate_principal_policy(state_, call); }
  static Scope scope(const Call& call) { return {call.account, ""}; }

  std::int64_t attachments(Tables& tables, const Call& call, const std::string& policy_arn) {
    std::int64_t count = 0;
    for (const auto& kind : {kRole, kUser}) {
      for (const auto& stored : tables.list(kind.kind, scope(call))) {
        const auto& attached = stored.body.get_array("attached");
        count += std::count(attached.begin(), attached.end(), Json(policy_arn));
      }
    }
    return count;
  }

  Json policy_json(Tables& tables, const Call& call, const Json& policy) {
    Json answer =
        Json::object({{"PolicyName", policy.at("PolicyName")},
                      {"PolicyId", policy.at("PolicyId")},
                      {"Arn", policy.at("Arn")},
                      {"Path", policy.at("Path")},
                      {"DefaultVersionId", policy.at("DefaultVersionId")},
                      {"AttachmentCount", attachments(tables, call, policy.get_string("Arn"))},
                      {"PermissionsBoundaryUsageCount", 0},
                      {"IsAttachable", true}});
    add_if_there(answer, policy, "Description");
    answer["CreateDate"] = policy.at("CreateDate");
    answer["UpdateDate"] = policy.at("UpdateDate");
    return answer;
  }

  // Roles.
  Json create_role(const Call& call) {
    Input in(call.input, kBad);
    auto document = in.text("AssumeRolePolicyDocument");
    parse_policy(document, PolicyKind::trust);
    auto longest = in.integer_or("MaxSessionDuration", 3600);
    if (longest < 3600 || longest > 43'200)
      in.refuse(validation_message(std::to_string(longest), "maxSessionDuration",
                                   "Member must have value between 3600 and 43200"));
    auto role = state_.write([&](Tables& tables) {
      auto made = new_entity(tables, kRole, scope(call), in, call.now);
      made["AssumeRolePolicyDocument"] = document;
      made["MaxSessionDuration"] = longest;
      if (auto text = in.optional_text("Description")) made["Description"] = *text;
      if (auto boundary = in.optional_text("PermissionsBoundary"))
        made["PermissionsBoundary"] = *boundary;
      tables.put(kRole.kind, scope(call), made.get_string("RoleName"), made);
      return made;
    });
    return Json::object({{"Role", role_json(role, true)}});
  }
  Json get_role(const Call& call) {
    return Json::object({{"Role", role_json(entity(kRole, call), true)}});
  }
  Json list_roles(const Call& call) {
    Input in(call.input, kBad);
    auto prefix = in.text_or("PathPrefix", "/");
    std::vector<Json> roles;
    for (const auto& stored : all(kRole, call)) {
      if (stored.body.get_string("Path").starts_with(prefix))
        roles.push_back(role_json(stored.body, false));
    }
    return page_of(in, "Roles", roles);
  }
  Json delete_role(const Call& call) { return erase(kRole, call); }
  Json update_assume_role_policy(const Call& call) {
    return change(kRole, call, [](const Input& in, Json& role) {
      auto document = in.text("PolicyDocument");
      parse_policy(document, PolicyKind::trust);
      role["AssumeRolePolicyDocument"] = document;
    });
  }
  Json update_role(const Call& call) {
    return change(kRole, call, [](const Input& in, Json& role) {
      if (auto text = in.optional_text("Description")) role["Description"] = *text;
      if (auto longest = in.optional_integer("MaxSessionDuration")) {
        if (*longest < 3600 || *longest > 43'200)
          in.refuse(validation_message(std::to_string(*longest), "maxSessionDuration",
                                       "Member must have value between 3600 and 43200"));
        role["MaxSessionDuration"] = *longest;
      }
    });
  }
  Json update_role_description(const Call& call) {
    change(kRole, call,
           [](const Input& in, Json& role) { role["Description"] = in.text_or("Description"); });
    return get_role(call);
  }
  Json put_boundary(const Call& call) {
    return change(kRole, call, [](const Input& in, Json& role) {
      role["PermissionsBoundary"] = in.text("PermissionsBoundary");
    });
  }
  Json delete_boundary(const Call& call) {
    return change(kRole, call, [](const Input&, Json& role) { role.erase("PermissionsBoundary"); });
  }
  Json tag_role(const Call& call) {
    return change(kRole, call, [](const Input& in, Json& role) { put_tags(role, in); });
  }
  Json untag_role(const Call& call) {
    return change(kRole, call, [](const Input& in, Json& role) { remove_tags(role, in); });
  }
  Json list_role_tags(const Call& call) {
    return page_of(Input(call.input, kBad), "Tags", entity(kRole, call).get_array("tags"));
  }
  Json list_instance_profiles_for_role(const Call& call) {
    entity(kRole, call);
    return page_of(Input(call.input, kBad), "InstanceProfiles", {});
  }
  Json create_service_linked_role(const Call& call) {
    Input in(call.input, kBad);
    auto service = in.text("AWSServiceName");
    auto label = service.substr(0, service.find('.'));
    auto name = "AWSServiceRoleFor" + (label == "ecs"                    ? std::string("ECS")
                                       : label == "elasticloadbalancing" ? "ElasticLoadBalancing"
                                                                         : label);
    Json members =
        Json::object({{"RoleName", name}, {"Path", "/aws-service-role/" + service + "/"}});
    auto role = state_.write([&](Tables& tables) {
      if (tables.get(kRole.kind, scope(call), name)) {
        throw Refusal("InvalidInput",
                      fmt::format("Service role name {} has been taken in this account, please try "
                                  "a different suffix.",
                                  name),
                      400);
      }
      auto made = new_entity(tables, kRole, scope(call), Input(members, kBad), call.now);
      made["AssumeRolePolicyDocument"] =
          Json::object(
              {{"Version", "2012-10-17"},
               {"Statement",
                Json::array({Json::object({{"Effect", "Allow"},
                                           {"Principal", Json::object({{"Service", service}})},
                                           {"Action", "sts:AssumeRole"}})})}})
              .dump();
      made["MaxSessionDuration"] = 3600;
      tables.put(kRole.kind, scope(call), name, made);
      return made;
    });
    return Json::object({{"Role", role_json(role, true)}});
  }

  // Users.
  Json create_user(const Call& call) {
    Input in(call.input, kBad);
    auto user = state_.write([&](Tables& tables) {
      auto made = new_entity(tables, kUser, scope(call), in, call.now);
      made["keys"] = Json::array({});
      tables.put(kUser.kind, scope(call), made.get_string("UserName"), made);
      return made;
    });
    return Json::object({{"User", user_json(user)}});
  }
  Json get_user(const Call& call) {
    if (!Input(call.input, kBad).has("UserName") && call.caller.kind == Principal::Kind::root) {
      return Json::object({{"User", Json::object({{"Path", "/"},
                                                  {"UserName", call.account},
                                                  {"UserId", call.account},
                                                  {"Arn", call.caller.arn},
                                                  {"CreateDate", "2020-01-01T00:00:00Z"}})}});
    }
    return Json::object({{"User", user_json(entity(kUser, call))}});
  }
  Json list_users(const Call& call) {
    std::vector<Json> users;
    for (const auto& stored : all(kUser, call)) users.push_back(user_json(stored.body));
    return page_of(Input(call.input, kBad), "Users", users);
  }
  Json delete_user(const Call& call) { return erase(kUser, call); }
  Json create_access_key(const Call& call) {
    auto user = entity(kUser, call);
    if (user.get_array("keys").size() >= 2)
      throw Refusal("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409);
    auto name = user.get_string("UserName");
    auto key = sessions_.create_user_key(Principal{.kind = Principal::Kind::user,
                                                   .account = call.account,
                                                   .arn = user.get_string("Arn"),
                                                   .id = user.get_string("UserId"),
                                                   .access_key_id = "",
                                                   .entity = name,
                                                   .session_policy = "",
                                                   .session_policy_arns = {}},
                                         call.now);
    change(kUser, call, [&](const Input&, Json& changed) {
      changed["keys"].push_back(Json::object(
          {{"AccessKeyId", key.access_key_id}, {"CreateDate", formats::iso8601(call.now)}}));
    });
    return Json::object(
        {{"AccessKey", Json::object({{"UserName", name},
                                     {"AccessKeyId", key.access_key_id},
                                     {"Status", "Active"},
                                     {"SecretAccessKey", key.secret_access_key},
                                     {"CreateDate", formats::iso8601(call.now)}})}});
  }
  Json delete_access_key(const Call& call) {
    auto id = Input(call.input, kBad).text("AccessKeyId");
    change(kUser, call, [&](const Input&, Json& user) {
      if (std::erase_if(user["keys"].as_array(), [&](const Json& key) {
            return key.get_string("AccessKeyId") == id;
          }) == 0) {
        throw Refusal("NoSuchEntity", fmt::format("The Access Key with id {} cannot be found.", id),
                      404);
      }
    });
    sessions_.forget(id);
    return {};
  }
  Json list_access_keys(const Call& call) {
    auto user = entity(kUser, call);
    std::vector<Json> keys;
    for (const auto& key : user.get_array("keys")) {
      keys.push_back(Json::object({{"UserName", user.at("UserName")},
                                   {"AccessKeyId", key.at("AccessKeyId")},
                                   {"Status", "Active"},
                                   {"CreateDate", key.at("CreateDate")}}));
    }
    return page_of(Input(call.input, kBad), "AccessKeyMetadata", keys);
  }

  // Managed policies.
  Json create_policy(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("PolicyName");
    check_name(in, name, "policyName", 128);
    auto path = read_path(in);
    auto document = in.text("PolicyDocument");
    parse_policy(document, PolicyKind::identity);
    auto policy_arn = arn("iam", "", call.account, "policy" + path + name);
    auto now = formats::iso8601(call.now);
    Json policy = Json::object(
        {{"PolicyName", name},
         {"PolicyId", "ANPA" + random_id(17)},
         {"Arn", policy_arn},
         {"Path", path},
         {"DefaultVersionId", "v1"},
         {"CreateDate", now},
         {"UpdateDate", now},
         {"last_version", 1},
         {"tags", Json::array({})},
         {"versions",
          Json::object({{"v1", Json::object({{"Document", document}, {"CreateDate", now}})}})}});
    if (auto text = in.optional_text("Description")) policy["Description"] = *text;
    put_tags(policy, in);
    return state_.write([&](Tables& tables) {
      if (tables.get("iam.policy", scope(call), policy_arn)) {
        throw Refusal(
            "EntityAlreadyExists",
            fmt::format("A policy called {} already exists. Duplicate names are not allowed.",
                        name),
            409);
      }
      tables.put("iam.policy", scope(call), policy_arn, policy);
      return Json::object({{"Policy", policy_json(tables, call, policy)}});
    });
  }
  Json get_policy(const Call& call) {
    auto policy_arn = Input(call.input, kBad).text("PolicyArn");
    return state_.read([&](Tables& tables) {
      auto policy = need_policy(tables, call.account, policy_arn);
      auto answer = policy_json(tables, call, policy);
      if (!policy.get_array("tags").empty()) answer["Tags"] = policy.at("tags");
      return Json::object({{"Policy", std::move(answer)}});
    });
  }
  Json list_policies(const Call& call) {
    Input in(call.input, kBad);
    auto which = in.text_or("Scope", "All");
    return state_.read([&](Tables& tables) {
      std::vector<Json> policies;
      if (which != "Local") {
        for (const auto& managed : managed_policies()) {
          policies.push_back(policy_json(
              tables, call,
              need_policy(tables, call.account,
                          fmt::format("arn:aws:iam::aws:policy{}{}", managed.path, managed.name))));
        }
      }
      if (which != "AWS") {
        for (const auto& stored : tables.list("iam.policy", scope(call)))
          policies.push_back(policy_json(tables, call, stored.body));
      }
      return page_of(in, "Policies", policies);
    });
  }
  Json delete_policy(const Call& call) {
    auto policy_arn = Input(call.input, kBad).text("PolicyArn");
    return state_.write([&](Tables& tables) {
      auto policy = need_policy(tables, call.account, policy_arn);
      if (policy.contains("aws"))
        throw Refusal("AccessDenied", "Cannot delete an AWS managed policy", 403);
      if (attachments(tables, call, policy_arn) > 0)
        throw Refusal("DeleteConflict", "Cannot delete a policy attached to entities.", 409);
      if (policy.at("versions").size() > 1)
        throw Refusal(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy.",
            409);
      tables.erase("iam.policy", scope(call), policy_arn);
      return Json();
    });
  }
  Json create_policy_version(const Call& call) {
    Json made;
    change_policy(call, [&](const Input& in, Json& policy) {
      auto document = in.text("PolicyDocument");
      parse_policy(document, PolicyKind::identity);
      if (policy.at("versions").size() >= 5)
        throw Refusal("LimitExceeded",
                      "A managed policy can have up to 5 versions. Before you create a new "
                      "version, you must delete an existing version.",
                      409);
      auto number = policy.get_int("last_version") + 1;
      auto id = fmt::format("v{}", number);
      policy["last_version"] = number;
      policy["versions"][id] =
          Json::object({{"Document", document}, {"CreateDate", formats::iso8601(call.now)}});
      if (in.boolean_or("SetAsDefault", false)) policy["DefaultVersionId"] = id;
      policy["UpdateDate"] = formats::iso8601(call.now);
      made = version_json(id, policy.at("versions").at(id), policy.get_string("DefaultVersionId"),
                          false);
    });
    return Json::object({{"PolicyVersion", made}});
  }
  Json get_policy_version(const Call& call) {
    Input in(call.input, kBad);
    auto policy = state_.read(
        [&](Tables& tables) { return need_policy(tables, call.account, in.text("PolicyArn")); });
    auto id = in.text("VersionId");
    const auto* version = policy.at("versions").find(id);
    if (version == nullptr)
      throw Refusal("NoSuchEntity",
                    fmt::format("Policy {} version {} does not exist or is not attachable.",
                                policy.get_string("Arn"), id),
                    404);
    return Json::object(
        {{"PolicyVersion",
          version_json(id, *version, policy.get_string("DefaultVersionId"), true)}});
  }
  Json list_policy_versions(const Call& call) {
    Input in(call.input, kBad);
    auto policy = state_.read(
        [&](Tables& tables) { return need_policy(tables, call.account, in.text("PolicyArn")); });
    std::vector<Json> versions;
    for (const auto& [id, version] : policy.at("versions").as_object())
      versions.push_back(version_json(id, version, policy.get_string("DefaultVersionId"), false));
    std::reverse(versions.begin(), versions.end());
    return page_of(in, "Versions", versions);
  }
  Json set_default_policy_version(const Call& call) {
    return change_policy(call, [](const Input& in, Json& policy) {
      auto id = in.text("VersionId");
      if (!policy.at("versions").contains(id))
        throw Refusal("NoSuchEntity", fmt::format("Policy version {} does not exist.", id), 404);
      policy["DefaultVersionId"] = id;
    });
  }
  Json delete_policy_version(const Call& call) {
    return change_policy(call, [](const Input& in, Json& policy) {
      auto id = in.text("VersionId");
      if (policy.get_string("DefaultVersionId") == id)
        throw Refusal("DeleteConflict", "Cannot delete the default version of a policy.", 409);
      if (!policy["versions"].erase(id))
        throw Refusal("NoSuchEntity", fmt::format("Policy version {} does not exist.", id), 404);
    });
  }
  Json list_entities_for_policy(const Call& call) {
    Input in(call.input, kBad);
    auto policy_arn = in.text("PolicyArn");
    auto users_of = [&](const EntityKind& kind, std::string_view id_key) {
      Json list = Json::array({});
      for (const auto& stored : all(kind, call)) {
        const auto& attached = stored.body.get_array("attached");
        if (std::find(attached.begin(), attached.end(), Json(policy_arn)) == attached.end())
          continue;
        Json entry = Json::object({});
        entry[kind.name_key] = stored.id;
        entry[id_key] = stored.body.at(id_key);
        list.push_back(std::move(entry));
      }
      return list;
    };
    return Json::object({{"PolicyGroups", Json::array({})},
                         {"PolicyUsers", users_of(kUser, "UserId")},
                         {"PolicyRoles", users_of(kRole, "RoleId")},
                         {"IsTruncated", false}});
  }

  // Common to roles and users.
  Json entity(const EntityKind& kind, const Call& call) {
    auto name = Input(call.input, kBad).text(kind.name_key);
    return state_.read(
        [&](Tables& tables) { return need_entity(tables, kind, scope(call), name); });
  }
  std::vector<Stored> all(const EntityKind& kind, const Call& call) {
    return state_.read([&](Tables& tables) { return tables.list(kind.kind, scope(call)); });
  }
  Json erase(const EntityKind& kind, const Call& call) {
    auto name = Input(call.input, kBad).text(kind.name_key);
    return state_.write([&](Tables& tables) {
      auto found = need_entity(tables, kind, scope(call), name);
      check_deletable(found);
      if (!found.get_array("keys").empty())
        throw Refusal("DeleteConflict", "Cannot delete entity, must delete access keys first.",
                      409);
      tables.erase(kind.kind, scope(call), name);
      return Json();
    });
  }
  template <typename Change>
  Json change(const EntityKind& kind, const Call& call, Change&& how) {
    Input in(call.input, kBad);
    auto name = in.text(kind.name_key);
    return state_.write([&](Tables& tables) {
      auto found = need_entity(tables, kind, scope(call), name);
      how(in, found);
      tables.put(kind.kind, scope(call), name, found);
      return Json();
    });
  }
  template <typename Change>
  Json change_policy(const Call& call, Change&& how) {
    Input in(call.input, kBad);
    auto policy_arn = in.text("PolicyArn");
    return state_.write([&](Tables& tables) {
      auto policy = need_policy(tables, call.account, policy_arn);
      if (policy.contains("aws"))
        throw Refusal("AccessDenied", "An AWS managed policy cannot be changed", 403);
      how(in, policy);
      tables.put("iam.policy", scope(call), policy_arn, policy);
      return Json();
    });
  }

  // The operations that live in other files.
  template <Json (*Work)(State&, const EntityKind&, const Call&)>
  Json on_role(const Call& call) {
    return Work(state_, kRole, call);
  }
  template <Json (*Work)(State&, const EntityKind&, const Call&)>
  Json on_user(const Call& call) {
    return Work(state_, kUser, call);
  }
  template <Json (*Work)(State&, const Call&)>
  Json on_oidc(const Call& call) {
    return Work(state_, call);
  }

  State& state_;
  sts::Sessions& sessions_;
};

const Operations<Iam>& Iam::operations() {
  static const Operations<Iam> table = {
      {"AddClientIDToOpenIDConnectProvider", &Iam::on_oidc<add_oidc_client_id>},
      {"AttachRolePolicy", &Iam::on_role<attach_policy>},
      {"AttachUserPolicy", &Iam::on_user<attach_policy>},
      {"CreateAccessKey", &Iam::create_access_key},
      {"CreateOpenIDConnectProvider", &Iam::on_oidc<create_oidc_provider>},
      {"CreatePolicy", &Iam::create_policy},
      {"CreatePolicyVersion", &Iam::create_policy_version},
      {"CreateRole", &Iam::create_role},
      {"CreateServiceLinkedRole", &Iam::create_service_linked_role},
      {"CreateUser", &Iam::create_user},
      {"DeleteAccessKey", &Iam::delete_access_key},
      {"DeleteOpenIDConnectProvider", &Iam::on_oidc<delete_oidc_provider>},
      {"DeletePolicy", &Iam::delete_policy},
      {"DeletePolicyVersion", &Iam::delete_policy_version},
      {"DeleteRole", &Iam::delete_role},
      {"DeleteRolePermissionsBoundary", &Iam::delete_boundary},
      {"DeleteRolePolicy", &Iam::on_role<delete_inline_policy>},
      {"DeleteUser", &Iam::delete_user},
      {"DeleteUserPolicy", &Iam::on_user<delete_inline_policy>},
      {"DetachRolePolicy", &Iam::on_role<detach_policy>},
      {"DetachUserPolicy", &Iam::on_user<detach_policy>},
      {"GetOpenIDConnectProvider", &Iam::on_oidc<get_oidc_provider>},
      {"GetPolicy", &Iam::get_policy},
      {"GetPolicyVersion", &Iam::get_policy_version},
      {"GetRole", &Iam::get_role},
      {"GetRolePolicy", &Iam::on_role<get_inline_policy>},
      {"GetUser", &Iam::get_user},
      {"GetUserPolicy", &Iam::on_user<get_inline_policy>},
      {"ListAccessKeys", &Iam::list_access_keys},
      {"ListAttachedRolePolicies", &Iam::on_role<list_attached_policies>},
      {"ListAttachedUserPolicies", &Iam::on_user<list_attached_policies>},
      {"ListEntitiesForPolicy", &Iam::list_entities_for_policy},
      {"ListInstanceProfilesForRole", &Iam::list_instance_profiles_for_role},
      {"ListOpenIDConnectProviderTags", &Iam::on_oidc<list_oidc_provider_tags>},
      {"ListOpenIDConnectProviders", &Iam::on_oidc<list_oidc_providers>},
      {"ListPolicies", &Iam::list_policies},
      {"ListPolicyVersions", &Iam::list_policy_versions},
      {"ListRolePolicies", &Iam::on_role<list_inline_policies>},
      {"ListRoleTags", &Iam::list_role_tags},
      {"ListRoles", &Iam::list_roles},
      {"ListUserPolicies", &Iam::on_user<list_inline_policies>},
      {"ListUsers", &Iam::list_users},
      {"PutRolePermissionsBoundary", &Iam::put_boundary},
      {"PutRolePolicy", &Iam::on_role<put_inline_policy>},
      {"PutUserPolicy", &Iam::on_user<put_inline_policy>},
      {"RemoveClientIDFromOpenIDConnectProvider", &Iam::on_oidc<remove_oidc_client_id>},
      {"SetDefaultPolicyVersion", &Iam::set_default_policy_version},
      {"SimulatePrincipalPolicy", &Iam::simulate},
      {"TagOpenIDConnectProvider", &Iam::on_oidc<tag_oidc_provider>},
      {"TagRole", &Iam::tag_role},
      {"UntagOpenIDConnectProvider", &Iam::on_oidc<untag_oidc_provider>},
      {"UntagRole", &Iam::untag_role},
      {"UpdateAssumeRolePolicy", &Iam::update_assume_role_policy},
      {"UpdateOpenIDConnectProviderThumbprint", &Iam::on_oidc<update_oidc_thumbprint>},
      {"UpdateRole", &Iam::update_role},
      {"UpdateRoleDescription", &Iam::update_role_description},
  };
  return table;
}

std::vector<Permission> Iam::permissions(const Call& call) const {
  Input in(call.input, kBad);
  std::string resource = "*";
  if (auto source = in.optional_text("PolicySourceArn")) {
    resource = *source;
  } else if (auto oidc = in.optional_text("OpenIDConnectProviderArn")) {
    resource = *oidc;
  } else if (auto role = in.optional_text("RoleName")) {
    auto stored = state_.read([&](Tables& tables) {
      return tables.get(kRole.kind, {call.account, ""}, *role);
    });
    resource = stored ? stored->get_string("Arn")
                      : arn("iam", "", call.account, "role" + in.text_or("Path", "/") + *role);
  } else if (auto user = in.optional_text("UserName")) {
    resource = arn("iam", "", call.account, "user" + in.text_or("Path", "/") + *user);
  } else if (auto policy = in.optional_text("PolicyArn")) {
    resource = *policy;
  } else if (auto name = in.optional_text("PolicyName")) {
    resource = arn("iam", "", call.account, "policy" + in.text_or("Path", "/") + *name);
  } else if (auto url = in.optional_text("Url")) {
    auto scheme = url->find("://");
    resource =
        arn("iam", "", call.account,
            "oidc-provider/" + (scheme == std::string::npos ? *url : url->substr(scheme + 3)));
  }
  Permission permission{.action = "iam:" + call.operation, .resource = resource, .context = {}};
  if (call.operation.starts_with("Attach") || call.operation.starts_with("Detach"))
    permission.context["iam:PolicyARN"] = {in.text_or("PolicyArn")};
  return {permission};
}

}  // namespace

std::unique_ptr<Service> make_iam(State& state, sts::Sessions& sessions) {
  return std::make_unique<Iam>(state, sessions);
}

}  // namespace slipway::cloud::iam
