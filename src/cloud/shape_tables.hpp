// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace slipway::cloud {

/// The text of shapes/SIGNING_NAME.json, which is part of the program; empty when there is none.
std::string_view shape_table(std::string_view signing_name);

}  // namespace slipway::cloud
