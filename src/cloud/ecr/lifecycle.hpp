// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "cloud/service.hpp"

namespace slipway::cloud::ecr {

/// An image as a lifecycle policy looks at it.
struct LifecycleImage {
  std::string digest;
  std::vector<std::string> tags;
  Time pushed{};
  std::vector<std::string> parents;  ///< digests of the indexes that list it
};

/// An image that a rule expires.
struct Expiry {
  std::string digest;
  std::int64_t rule_priority = 0;
  bool operator==(const Expiry&) const = default;
};

/// What a policy expires now. All rules look at the same images; an image that a rule selects is out of reach of the rules after it, but
/// still counts in theirs. An image listed in an index goes only with the index.
///   policy  a checked lifecycle policy document
///   source  ECR user guide, "Lifecycle policy evaluation rules"
std::vector<Expiry> expired(const Json& policy, const std::vector<LifecycleImage>& images,
                            Time now);

}  // namespace slipway::cloud::ecr
