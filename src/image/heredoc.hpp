// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/dockerfile.hpp"

namespace slipway::image {

/// `<<NAME`, `<<-"NAME"`, `3<<NAME`: the document a word announces, without content; nothing for other words.
std::optional<Heredoc> heredoc_of(std::string_view word);
/// The documents that a line announces, in order.
std::vector<Heredoc> heredocs_in(std::string_view line);
/// The content as it is used: tabs stripped for `<<-`.
std::string heredoc_text(const Heredoc& heredoc);

}  // namespace slipway::image
