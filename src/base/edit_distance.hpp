// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace slipway {

/// How many bytes are to be changed, added or taken away to make one of the other (Levenshtein): for words that are mistyped.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The option that is less than three edits from `word` and nearest to it; "" when there is none, or `word` is one of them.
///   minds_case  false: case does not matter, and a word in upper or lower case gets the option so
std::string nearest_word(std::string_view word, std::span<const std::string> options,
                         bool minds_case = true);
/// " (did you mean WORD?)", or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> options,
                         bool minds_case = true);

}  // namespace slipway
