// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::image {

/// What the arguments of an instruction are, seen as the exec form.
struct ExecForm {
  enum class Kind {
    strings,   ///< a JSON array of strings
    other,     ///< a JSON array that holds something else: an error in a Dockerfile
    not_json,  ///< the shell form
  };
  Kind kind = Kind::not_json;
  std::vector<std::string> strings;
};

/// Reads `["a", "b"]`. Pure; anything that is no complete JSON array is `not_json`.
ExecForm read_exec_form(std::string_view text);

/// The strings as Go's %q prints them, for the history: `["sh" "-c" "x"]`.
std::string print_exec_form(const std::vector<std::string>& strings);

}  // namespace slipway::image
