// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace slipway::image {

/// Lines a-b of a Dockerfile, 1-based, both included.
struct Span {
  int first = 0;
  int last = 0;
  bool operator==(const Span&) const = default;
};

/// `--name=value` in front of an instruction's arguments.
struct Flag {
  std::string name;                  ///< without dashes
  std::optional<std::string> value;  ///< nothing for `--link`
  bool operator==(const Flag&) const = default;
};

/// A `<<NAME` document that follows an instruction.
struct Heredoc {
  std::string name;
  bool expands = true;       ///< false when the name was quoted
  bool strips_tabs = false;  ///< `<<-`
  int descriptor = 0;        ///< the number before `<<`, 0 when none
  std::string content;
  bool operator==(const Heredoc&) const = default;
};

/// One instruction as it is written: what it means is read by read_commands().
struct Instruction {
  std::string keyword;      ///< upper case: "RUN"
  std::vector<Flag> flags;  ///< in order, not expanded
  std::string
      rest;  ///< the arguments with continuations joined, comments dropped, flags taken away
  std::vector<std::string>
      words;  ///< exec form: the JSON's strings; ENV, LABEL, ARG: see below; else split at white space
  bool is_json = false;  ///< `rest` was a JSON array of strings
  std::vector<Heredoc> heredocs;
  Span lines;
  std::vector<std::string> comments;  ///< the lines of comment above it, without '#'
  std::string text;  ///< the instruction as written, continuations joined, without heredoc bodies
};

/// `# key=value` lines in front of a Dockerfile.
struct Directives {
  char escape = '\\';
  std::string syntax;
  std::string check;
  int check_line = 0;  ///< where it stands; 0 when it does not
};

struct Dockerfile {
  Directives directives;
  std::vector<Instruction> instructions;
  std::vector<Diagnostic> diagnostics;  ///< errors: nothing may be built from it
  std::vector<Diagnostic> warnings;
};

/// Reads a Dockerfile's syntax: directives, comments, continuations, heredocs, flags, words. Pure; never throws for bad text.
///   words    `ENV a=b c d` and `LABEL` give name, value pairs one after the other, quotes kept (the old form `ENV a b c` gives one
///            pair); `ARG` gives its `name[=value]` words
///   source   moby/buildkit frontend/dockerfile/parser
Dockerfile parse_dockerfile(std::string_view text, const std::string& file);

/// The keyword as it was written: "run".
std::string written_keyword(const Instruction& instruction);

/// A diagnostic's message followed by the lines around it, the meant ones marked with ">>>".
std::string with_source(const Diagnostic& diagnostic, std::string_view text, int last_line = 0);

}  // namespace slipway::image
