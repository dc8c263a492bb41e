// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::iam {

// The operations on OIDC providers ("iam.oidc", by ARN).
Json create_oidc_provider(State& state, const Call& call);
Json get_oidc_provider(State& state, const Call& call);
Json list_oidc_providers(State& state, const Call& call);
Json delete_oidc_provider(State& state, const Call& call);
Json add_oidc_client_id(State& state, const Call& call);
Json remove_oidc_client_id(State& state, const Call& call);
Json update_oidc_thumbprint(State& state, const Call& call);
Json tag_oidc_provider(State& state, const Call& call);
Json untag_oidc_provider(State& state, const Call& call);
Json list_oidc_provider_tags(State& state, const Call& call);

}  // namespace slipway::cloud::iam
