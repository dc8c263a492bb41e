// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "formats/json.hpp"

namespace slipway::deploy {

/// The trust policy of a role (GetRole's), as a document.
formats::Json trust_of(const formats::Json& role);

/// Whether a trust policy lets GitHub's tokens with this subject in.
bool trusts_subject(const formats::Json& trust, const std::string& subject);

/// Whether a trust policy lets a service of AWS take the role ("ecs-tasks.amazonaws.com").
bool trusts_service(const formats::Json& trust, const std::string& service);

/// The policy with the other one's statements after its own.
formats::Json with_statements(formats::Json policy, const formats::Json& more);

/// The policy with those of its statements alone that no statement of `held` covers: one with the same effect, actions and condition, on
/// all of its resources.
formats::Json statements_beyond(const formats::Json& policy, const formats::Json& held);

/// All actions that its statements name, sorted.
std::vector<std::string> actions_of(const formats::Json& policy);

}  // namespace slipway::deploy
