// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "cloud/service.hpp"
#include "cloud/state.hpp"
#include "cloud/sts/sessions.hpp"

namespace slipway::cloud::sts {

/// The key set of an OIDC issuer, or nothing when it cannot be had.
using KeySets = std::function<std::optional<Json>(const std::string& issuer)>;

/// STS: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity, GetSessionToken, GetAccessKeyInfo.
std::unique_ptr<Service> make_sts(State& state, Sessions& sessions, KeySets key_sets, Log& log);

}  // namespace slipway::cloud::sts
