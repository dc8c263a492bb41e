// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string_view>

namespace slipway {

/// How many bytes are to be changed, added or taken away to make one of the other (Levenshtein): for words that are mistyped.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace slipway
