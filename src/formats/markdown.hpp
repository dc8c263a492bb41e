// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace slipway::formats {

/// GitHub's Markdown as a terminal shows it: headings and emphasis by attributes, tables in columns, lists with bullets, links with their
/// address, code set off, HTML's tags left out. No control character of the text gets through.
///   returns  lines that end with '\n'; the attributes are reset at the end of each
///   source   GitHub Flavored Markdown 0.29: headings, fences, tables, lists, quotes, inline forms; nothing that needs to look back
std::string markdown_for_terminal(std::string_view text);

}  // namespace slipway::formats
