// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

namespace slipway::cli {

/// The text of docs/NAME.md as it was when the program was built.
std::optional<std::string_view> page(std::string_view name);

}  // namespace slipway::cli
