// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace slipway::formats {

/// Markdown with the HTML in it said in Markdown: headings, tables, lists, links, code, rules, emphasis, as @actions/core's summary writes
/// them. What stands in code is left alone; other tags go.
std::string html_in_markdown(std::string_view text);

}  // namespace slipway::formats
