// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/ecr/ecr.hpp"
#include "cloud/iam/authoriser.hpp"

namespace slipway::cloud::ecr {

/// ECR's API over the same stores that the registry serves.
std::unique_ptr<Service> make_ecr(State& state, Registries& registries, Tokens& tokens,
                                  const iam::Authoriser& authoriser);

}  // namespace slipway::cloud::ecr
