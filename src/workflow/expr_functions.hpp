// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/value.hpp"

// The built-in functions on values. Those that do not evaluate all their arguments take a way to get them.
namespace slipway::workflow {

/// Ignoring case, as .NET's IndexOf with OrdinalIgnoreCase.
bool contains_text(std::string_view text, std::string_view part);
bool starts_with_text(std::string_view text, std::string_view start);
bool ends_with_text(std::string_view text, std::string_view end);

/// An argument by number, evaluated when asked for; of format() number 0 is the first after the format string.
using Argument = std::function<Value(std::size_t)>;

/// format().
///   throws  Error{failed} with GitHub's text for a bad format string
std::string format_values(const std::string& format, std::size_t count, const Argument& argument);
/// join() of an array's items.
std::string join_values(const std::vector<Value>& items, std::string_view separator);
/// fromJSON(). throws Error{failed}
Value value_from_json(const std::string& text);
/// toJSON() within the memory bound.
std::string value_to_json(const Value& value);

}  // namespace slipway::workflow
