// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string_view>

namespace slipway::cloud::iam {

/// A policy that every account has: arn:aws:iam::aws:policy/PATH + NAME.
struct ManagedPolicy {
  std::string_view path;  ///< "/", "/service-role/"
  std::string_view name;
  std::string_view description;
  std::string_view document;
};

/// Those that deployments to ECS attach; the documents grant what AWS's grant for the services that are here.
std::span<const ManagedPolicy> managed_policies();
/// By ARN; nullptr when it is not one of them.
const ManagedPolicy* find_managed_policy(std::string_view arn);

}  // namespace slipway::cloud::iam
