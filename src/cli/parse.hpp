// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <variant>

#include "cli/verb.hpp"

namespace slipway::cli {

/// The options before or after the verb that every verb has.
struct Globals {
  std::optional<std::string> state;
  bool json = false;
  bool quiet = false;
  bool no_color = false;
  std::string log_level = "warn";
};

struct Parsed {
  const Verb* verb = nullptr;
  Invocation invocation;
  Globals globals;
};

struct ShowHelp {
  std::string verb;  ///< empty: the list of verbs
};

/// Reads the command line.
///   throws  Error{bad_input} with what is wrong and how it is used
std::variant<Parsed, ShowHelp> parse(int argc, const char* const* argv,
                                     std::span<const Verb> verbs);

}  // namespace slipway::cli
