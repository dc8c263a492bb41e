// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace slipway::workflow {

/// Orders names without regard to ASCII case.
struct CaselessLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

/// One workflow command found in a line of output.
struct LogCommand {
  std::string name;  ///< as written
  std::map<std::string, std::string, CaselessLess>
      properties;    ///< unescaped; empty ones are not there
  std::string data;  ///< unescaped
  [[nodiscard]] std::string property(std::string_view name) const;
};

using CommandNames = std::set<std::string, CaselessLess>;

/// Every command that the engine knows.
const CommandNames& registered_commands();

/// Reads "::name k=v::data" (after leading white space) or, anywhere in the line, "##[name k=v;]data".
///   returns  nothing when the line holds no command of `known`: it is then ordinary output
///   source   actions/runner ActionCommand.cs
std::optional<LogCommand> parse_command(std::string_view line, const CommandNames& known);

/// Cheap and never wrong about false: whether a block of lines can hold a command at all.
bool may_hold_command(std::string_view block);

}  // namespace slipway::workflow
