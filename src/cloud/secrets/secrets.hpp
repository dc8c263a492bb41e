// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::secrets {

inline constexpr std::string_view kSecretKind = "secretsmanager.secret";

/// A secret is one document by its name: {Name, ARN, Description, KmsKeyId, created, changed, deleted (when it will be), Tags, policy,
/// versions: {ID: {string | binary, stages: […], created}}}.
std::unique_ptr<Service> make_secrets(State& state);

/// The secret that a name, an ARN or an ARN without its six random characters means; nothing when there is none.
std::optional<Json> find_secret(Tables& tables, const Scope& scope, const std::string& id);

/// Picks a version: by id, by stage, by both (which must agree), else AWSCURRENT.
struct Version {
  std::string id;
  Json body;
};
/// throws Refusal ResourceNotFoundException in AWS's words
Version pick_version(const Json& secret, const std::string& version_id, const std::string& stage);

}  // namespace slipway::cloud::secrets
