// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "cloud/iam/authoriser.hpp"
#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::ecr {

inline constexpr std::string_view kRepositoryKind = "ecr.repository";

/// "arn:aws:ecr:R:A:repository/NAME"
std::string repository_arn(const Scope& scope, std::string_view name);
/// True when `tag` may not be pushed again, by the repository's imageTagMutability and its exclusion filters.
bool is_tag_immutable(const Json& repository, std::string_view tag);
/// What the identity policies say, or, for callers that they do not refuse outright, the repository's own policy.
///   repository  the stored document, or null when there is none
iam::Decision decide(const iam::Authoriser& authoriser, const Principal& caller,
                     const Permission& permission, const Call& call, const Json& repository);
/// "The repository with name 'x' does not exist in the registry with id 'A'"
std::string no_repository(std::string_view name, std::string_view account);
/// "User: … is not authorized to perform: … on resource: … because …"
std::string not_authorised(const Principal& caller, const Permission& permission,
                           const iam::Decision& decision);

}  // namespace slipway::cloud::ecr
