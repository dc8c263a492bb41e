// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::workflow {

/// What a GITHUB_ENV, GITHUB_OUTPUT or GITHUB_STATE file says.
struct EnvFile {
  std::vector<std::pair<std::string, std::string>>
      entries;  ///< in order; a name may come again: the last one counts
  /// Why reading stopped; the step then fails, and the entries before it still count.
  std::optional<std::string> problem;
};

/// Reads NAME=VALUE lines and NAME<<DELIMITER blocks.
///   source  actions/runner FileCommandManager.cs; facts a.8, d.6
EnvFile parse_env_file(std::string_view text);

/// The lines of a GITHUB_PATH file that are not empty, in order.
std::vector<std::string> parse_path_file(std::string_view text);

}  // namespace slipway::workflow
