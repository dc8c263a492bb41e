// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/dockerfile.hpp"

namespace slipway::image {

/// What BuildKit's unicode.IsSpace takes for a space among ASCII characters.
constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/// Takes `--name=value` words off the front; returns what follows them.
std::string_view take_flags(std::string_view text, std::vector<Flag>& flags);
/// Split at runs of white space, nothing else is special.
std::vector<std::string> split_at_space(std::string_view text);
/// Split at white space outside quotes; quotes and escapes stay in the words.
std::vector<std::string> split_words(std::string_view text, char escape);
/// Name, value pairs of ENV and LABEL; returns what is wrong.
std::optional<std::string> read_names_and_values(std::string_view rest, std::string_view keyword,
                                                 char escape, std::vector<std::string>& out);
/// Reads one instruction from joined text (as ONBUILD carries it); returns what is wrong.
std::optional<std::string> read_instruction(std::string_view text, char escape, Instruction& out);

}  // namespace slipway::image
