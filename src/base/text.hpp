// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// The parts between separators; "a,,b" has three, "" has one empty part.
std::vector<std::string> split(std::string_view text, char separator);
/// The lines without their "\n" or "\r\n"; a last line without an end counts, an empty rest does not.
std::vector<std::string_view> lines_of(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
/// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);
/// ASCII only.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// Lower-case hexadecimal.
std::string hex(std::string_view bytes);
std::optional<std::string> unhex(std::string_view text);
/// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes);
/// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes);
/// Strict: no white space, canonical padding; nothing when it is not base64.
std::optional<std::string> unbase64(std::string_view text);
/// Strict, unpadded.
std::optional<std::string> unbase64url(std::string_view text);
/// A whole number in decimal, nothing else around it; nothing when it is not or does not fit.
std::optional<long long> to_integer(std::string_view text);
/// `count` random bytes from the kernel.
std::string random_bytes(std::size_t count);
/// A random (version 4) UUID in lower case.
std::string uuid();
/// True when `text` matches the shell-like pattern: `*` any run, `?` any one character. No classes, no escapes.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace slipway
