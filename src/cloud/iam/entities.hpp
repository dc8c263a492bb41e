// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "cloud/input.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::iam {

/// What roles and users have in common: a name, a path, tags, inline and attached policies.
struct EntityKind {
  std::string_view kind;       ///< "iam.role"
  std::string_view noun;       ///< "role", for messages
  std::string_view name_key;   ///< "RoleName"
  std::string_view id_prefix;  ///< "AROA"
};
inline constexpr EntityKind kRole{"iam.role", "role", "RoleName", "AROA"};
inline constexpr EntityKind kUser{"iam.user", "user", "UserName", "AIDA"};

/// throws Refusal ValidationError for a name or path that IAM does not take
void check_name(const Input& in, std::string_view name, std::string_view member, std::size_t most);
std::string read_path(const Input& in);
/// The entity. throws Refusal NoSuchEntity
Json need_entity(Tables& tables, const EntityKind& kind, const Scope& scope,
                 const std::string& name);
/// A new entity's common members. throws Refusal EntityAlreadyExists
Json new_entity(Tables& tables, const EntityKind& kind, const Scope& scope, const Input& in,
                Time now);
/// throws Refusal DeleteConflict while policies hang on it
void check_deletable(const Json& entity);
/// Changes `tags` ([{Key, Value}]) by Tags and TagKeys of the input.
void put_tags(Json& entity, const Input& in);
void remove_tags(Json& entity, const Input& in);

// The operations on policies, the same for both kinds but for the names.
Json put_inline_policy(State& state, const EntityKind& kind, const Call& call);
Json get_inline_policy(State& state, const EntityKind& kind, const Call& call);
Json delete_inline_policy(State& state, const EntityKind& kind, const Call& call);
Json list_inline_policies(State& state, const EntityKind& kind, const Call& call);
Json attach_policy(State& state, const EntityKind& kind, const Call& call);
Json detach_policy(State& state, const EntityKind& kind, const Call& call);
Json list_attached_policies(State& state, const EntityKind& kind, const Call& call);

/// A page of `items` by Marker and MaxItems: {key: […], IsTruncated, Marker?}.
Json page_of(const Input& in, std::string_view key, const std::vector<Json>& items);
/// Throws Refusal NoSuchEntity unless a managed policy of this ARN exists.
Json need_policy(Tables& tables, const std::string& account, const std::string& arn);

}  // namespace slipway::cloud::iam
