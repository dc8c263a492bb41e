// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::iam {

/// SimulatePrincipalPolicy for a role or a user of the account: what its policies say to each action on each resource.
///   throws  Refusal NoSuchEntity, ValidationError
Json simulate_principal_policy(State& state, const Call& call);

}  // namespace slipway::cloud::iam
