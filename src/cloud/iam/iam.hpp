// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/service.hpp"
#include "cloud/state.hpp"
#include "cloud/sts/sessions.hpp"

namespace slipway::cloud::iam {

/// IAM: roles, inline and managed policies, OIDC providers, users and their access keys. Kept as documents "iam.role", "iam.user",
/// "iam.policy" and "iam.oidc" of the account, with no region.
std::unique_ptr<Service> make_iam(State& state, sts::Sessions& sessions);

}  // namespace slipway::cloud::iam
