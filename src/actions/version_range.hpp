// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::actions {

/// Major, minor, patch of a released version.
using Version = std::array<long long, 3>;

/// Reads "20.11.1", "v20.11.1"; with fewer numbers the rest is 0. Nothing for anything else.
std::optional<Version> parse_version(std::string_view text);

/// True when `version` is in the range, in npm's notation: "20", "20.x", "^18.1", "~3.11.2", ">=18 <21", "3.9 - 3.12", "a || b",
/// "*", "". Pre-releases are not known.
///   throws  Error{bad_input} for what is no range
bool satisfies(const Version& version, std::string_view range);

}  // namespace slipway::actions
