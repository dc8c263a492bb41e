// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::ssm {

inline constexpr std::string_view kParameterKind = "ssm.parameter";

/// SSM's Parameter Store. A parameter is one document by its name: {Name, Type, Description, Tier, KeyId, tags, versions: [{Version,
/// Value, date, labels, user}]}, the newest last.
std::unique_ptr<Service> make_ssm(State& state);

/// "arn:aws:ssm:R:A:parameter/shop/key" for both "/shop/key" and "shop/key".
std::string parameter_arn(const Scope& scope, std::string_view name);
/// The newest value in clear; a name may end in ":VERSION" or ":LABEL". Nothing when there is none.
std::optional<std::string> parameter_value(Tables& tables, const Scope& scope,
                                           std::string_view name);

}  // namespace slipway::cloud::ssm
