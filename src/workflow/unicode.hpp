// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

// The little of Unicode that GitHub's rules (written for UTF-16 strings) need on UTF-8 text.
namespace slipway::workflow {

/// The code point that starts at `at`, and moves `at` behind it. A byte that starts none stands for U+DC00 + byte, so that
/// text which is not UTF-8 still compares as itself.
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& text, char32_t code_point);
/// Simple (one to one) upper-casing.
char32_t to_upper_simple(char32_t code_point);
/// Code units of the text in UTF-16: what GitHub counts lengths and positions in.
std::size_t utf16_length(std::string_view text);
/// White space as .NET's Char.IsWhiteSpace and JavaScript's trim see it.
bool is_white_space(char32_t code_point);
std::string_view trim_unicode(std::string_view text);

}  // namespace slipway::workflow
