// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::image {

/// The value of a variable, or nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

struct ExpandOptions {
  char escape = '\\';
  bool keep_quotes = false;   ///< quotes stay in the result
  bool keep_escapes = false;  ///< so do escape characters
  bool keep_unset = false;    ///< "$x" of an unset variable stays as it is written
  bool no_quotes = false;     ///< quotes are ordinary characters (heredoc bodies)
};

struct Expanded {
  std::string text;                ///< as one word
  std::vector<std::string> words;  ///< split at white space outside quotes
  std::vector<std::string> unset;  ///< variables that have no value, each once
  std::optional<std::string> error;
};

/// Quotes, escapes and variables of one Dockerfile word or line, as BuildKit's shell lexer reads them: $v ${v} and the modifiers
/// :- - :+ + :? ? # ## % %% / //.
///   source  moby/buildkit frontend/dockerfile/shell/lex.go
Expanded expand(std::string_view text, const Lookup& lookup, const ExpandOptions& options = {});

}  // namespace slipway::image
