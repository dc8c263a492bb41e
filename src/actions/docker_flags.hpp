// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::actions {

/// A flag of a docker command.
struct DockerFlag {
  std::string_view name;    ///< "--tag"
  char letter = 0;          ///< 't' for -t; 0: none
  bool takes_value = true;  ///< false: a switch, "--push" or "--push=false"
};

/// The words of a docker command, told apart.
struct DockerWords {
  std::map<std::string, std::vector<std::string>, std::less<>>
      values;  ///< by name, in order; a switch has "true" or "false"
  std::vector<std::string> arguments;

  [[nodiscard]] const std::vector<std::string>& all(std::string_view name) const;
  /// The last value given.
  [[nodiscard]] std::optional<std::string> last(std::string_view name) const;
  [[nodiscard]] bool is_set(std::string_view name) const { return last(name) == "true"; }
};

/// Reads words as docker's command line does: "--name value", "--name=value", "-n value", "-nvalue", flags and arguments in any order,
/// "--" ends the flags.
///   command  "docker push", for the messages
///   throws   Error{bad_input} for an unknown flag or a value that is missing
DockerWords read_docker_words(std::span<const std::string> words, std::span<const DockerFlag> flags,
                              std::string_view command);

}  // namespace slipway::actions
