// SPDX-License-Identifier: Apache-2.0
#include "image/dockerfile.hpp"

#include <utility>

#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "image/expand.hpp"
#include "image/heredoc.hpp"
#include "image/json_array.hpp"
#include "image/words.hpp"

namespace slipway::image {
namespace {

std::string_view without_leading_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

bool is_comment(std::string_view line) {
  line = without_leading_space(line);
  return !line.empty() && line.front() == '#';
}

enum class Syntax {
  text,
  json_or_text,
  json_or_words,
  words,
  names_and_values,
  arguments,
  health,
  instruction
};

constexpr std::pair<std::string_view, Syntax> kTable[] = {{"ADD", Syntax::json_or_words},
                                                          {"ARG", Syntax::arguments},
                                                          {"CMD", Syntax::json_or_text},
                                                          {"COPY", Syntax::json_or_words},
                                                          {"ENTRYPOINT", Syntax::json_or_text},
                                                          {"ENV", Syntax::names_and_values},
                                                          {"EXPOSE", Syntax::words},
                                                          {"FROM", Syntax::words},
                                                          {"HEALTHCHECK", Syntax::health},
                                                          {"LABEL", Syntax::names_and_values},
                                                          {"MAINTAINER", Syntax::text},
                                                          {"ONBUILD", Syntax::instruction},
                                                          {"RUN", Syntax::json_or_text},
                                                          {"SHELL", Syntax::json_or_text},
                                                          {"STOPSIGNAL", Syntax::text},
                                                          {"USER", Syntax::text},
                                                          {"VOLUME", Syntax::json_or_words},
                                                          {"WORKDIR", Syntax::text}};

std::vector<std::string> instruction_names() {
  std::vector<std::string> names;
  for (const auto& [name, syntax] : kTable) names.emplace_back(name);
  return names;
}

std::optional<Syntax> syntax_of(std::string_view keyword) {
  for (const auto& [name, syntax] : kTable) {
    if (name == keyword) return syntax;
  }
  return std::nullopt;
}

// `# key=value`, or nothing.
std::optional<std::pair<std::string, std::string>> directive_of(std::string_view line) {
  line = without_leading_space(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = trim(line.substr(1));
  auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  auto key = trim(line.substr(0, equals));
  auto value = trim(line.substr(equals + 1));
  if (key.empty() || value.empty() || !std::isalpha(static_cast<unsigned char>(key.front())))
    return std::nullopt;
  for (char c : key) {
    if (!std::isalnum(static_cast<unsigned char>(c))) return std::nullopt;
  }
  return std::pair{to_lower(key), std::string(value)};
}

constexpr std::string_view kOnlyStrings =
    "when using JSON array syntax, arrays must be comprised of strings only";

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : file_(file) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
      auto end = text.find('\n');
      std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
      lines_.push_back(text.substr(0, length));
      text.remove_prefix(length);
    }
  }

  Dockerfile run() {
    read_directives();
    while (at_ < lines_.size()) read_one();
    if (result_.instructions.empty() && result_.diagnostics.empty()) {
      error(static_cast<int>(lines_.size()), "the file has no instructions");
    }
    return std::move(result_);
  }

 private:
  void error(int line, std::string message) {
    result_.diagnostics.push_back({file_, line, 0, std::move(message)});
  }
  void warn(int line, std::string message) {
    result_.warnings.push_back({file_, line, 0, std::move(message)});
  }

  static std::string_view without_newline(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  // Directives stand before everything else: any other comment ends them, also one that looks like a directive.
  void read_directives() {
    std::vector<std::string> seen;
    if (!lines_.empty() && lines_.front().starts_with("#!")) ++at_;
    for (; at_ < lines_.size(); ++at_) {
      auto found = directive_of(without_newline(lines_[at_]));
      if (!found) return;
      const auto& [key, value] = *found;
      int line = static_cast<int>(at_) + 1;
      if (key != "escape" && key != "syntax" && key != "check") return;
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        error(line, fmt::format("only one '{}' parser directive can be used", key));
        continue;
      }
      seen.push_back(key);
      if (key == "syntax") result_.directives.syntax = value;
      if (key == "check") {
        result_.directives.check = value;
        result_.directives.check_line = line;
      }
      if (key != "escape") continue;
      if (value == "\\" || value == "`") {
        result_.directives.escape = value.front();
      } else {
        error(line, fmt::format("invalid escape token '{}': it is ` or \\", value));
      }
    }
  }

  // Takes the continuation character off the end; false when there was none.
  bool take_continuation(std::string_view& line) const {
    std::string_view rest = line;
    while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\t')) rest.remove_suffix(1);
    if (rest.empty() || rest.back() != result_.directives.escape) return false;
    rest.remove_suffix(1);
    if (!rest.empty() && rest.back() == result_.directives.escape) return false;
    line = rest;
    return true;
  }

  void read_one() {
    int first = static_cast<int>(at_) + 1;
    std::string_view line = without_leading_space(without_newline(lines_[at_++]));
    if (line.starts_with('#')) return add_comment(trim(line.substr(1)));
    bool goes_on = take_continuation(line);
    if (!goes_on && line.empty()) return;
    std::string text(line);
    bool has_empty_line = false;
    while (goes_on && at_ < lines_.size()) {
      line = without_newline(lines_[at_++]);
      if (is_comment(line)) continue;
      if (without_leading_space(line).empty()) {
        has_empty_line = true;
        continue;
      }
      goes_on = take_continuation(line);
      text += line;
    }
    if (trim(text).empty()) return;
    if (has_empty_line) warn(static_cast<int>(at_), "NoEmptyContinuation: empty continuation line");
    Instruction instruction;
    instruction.comments = std::exchange(comments_, {});
    instruction.lines = {first, static_cast<int>(at_)};
    instruction.text = std::string(trim(text));
    auto problem = read_instruction(text, result_.directives.escape, instruction);
    if (!problem && takes_heredocs(instruction) && text.find("<<") != std::string::npos)
      problem = read_heredocs(text, instruction);
    instruction.lines.last = static_cast<int>(at_);
    if (problem) {
      error(first, *problem);
    }
    result_.instructions.push_back(std::move(instruction));
  }

  // An empty comment parts those above it from what follows.
  void add_comment(std::string_view text) {
    if (text.empty()) {
      comments_.clear();
    } else {
      comments_.emplace_back(text);
    }
  }

  static bool takes_heredocs(const Instruction& instruction) {
    std::string keyword = instruction.keyword;
    bool is_json = instruction.is_json;
    if (keyword == "ONBUILD") {
      Instruction inner;
      read_instruction(instruction.rest, '\\', inner);
      keyword = inner.keyword;
      is_json = inner.is_json;
    }
    return !is_json && (keyword == "RUN" || keyword == "COPY" || keyword == "ADD");
  }

  std::optional<std::string> read_heredocs(std::string_view text, Instruction& instruction) {
    for (auto& heredoc : heredocs_in(text)) {
      bool ended = false;
      while (at_ < lines_.size() && !ended) {
        std::string_view line = without_newline(lines_[at_]);
        if (heredoc.strips_tabs) {
          while (line.starts_with('\t')) line.remove_prefix(1);
        }
        ended = line == heredoc.name;
        if (!ended) heredoc.content += lines_[at_];
        ++at_;
      }
      if (!ended) return fmt::format("unterminated heredoc: no line '{}' follows", heredoc.name);
      instruction.heredocs.push_back(std::move(heredoc));
    }
    return std::nullopt;
  }

 public:
  // Fills keyword, flags, rest and words from joined text; returns what is wrong.
  static std::optional<std::string> read_instruction(std::string_view text, char escape,
                                                     Instruction& out) {
    text = trim(text);
    auto end = text.find_first_of(" \t\v\f\r");
    out.keyword = to_upper(text.substr(0, end));
    std::string_view arguments = end == std::string_view::npos
                                     ? std::string_view()
                                     : without_leading_space(text.substr(end));
    arguments = take_flags(arguments, out.flags);
    out.rest = std::string(trim(arguments));
    auto syntax = syntax_of(out.keyword);
    if (!syntax)
      return fmt::format("unknown instruction: {}{}", text.substr(0, end),
                         did_you_mean(text.substr(0, end), instruction_names(), false));
    switch (*syntax) {
      case Syntax::text:
        if (!out.rest.empty()) out.words = {out.rest};
        return std::nullopt;
      case Syntax::words:
        out.words = split_at_space(out.rest);
        return std::nullopt;
      case Syntax::json_or_text:
      case Syntax::json_or_words: {
        auto form = read_exec_form(out.rest);
        if (form.kind == ExecForm::Kind::other) return std::string(kOnlyStrings);
        out.is_json = form.kind == ExecForm::Kind::strings;
        if (out.is_json) {
          out.words = std::move(form.strings);
        } else if (*syntax == Syntax::json_or_words) {
          out.words = split_at_space(out.rest);
        } else if (!out.rest.empty()) {
          out.words = {out.rest};
        }
        return std::nullopt;
      }
      case Syntax::names_and_values:
        return read_names_and_values(out.rest, out.keyword, escape, out.words);
      case Syntax::arguments:
        out.words = split_words(out.rest, escape);
        return std::nullopt;
      case Syntax::health: {
        auto space = out.rest.find_first_of(" \t\v\f\r");
        out.words = {to_upper(std::string_view(out.rest).substr(0, space))};
        if (out.rest.empty()) out.words.clear();
        if (space == std::string::npos) return std::nullopt;
        std::string command(without_leading_space(std::string_view(out.rest).substr(space)));
        auto form = read_exec_form(command);
        if (form.kind == ExecForm::Kind::other) return std::string(kOnlyStrings);
        out.is_json = form.kind == ExecForm::Kind::strings;
        if (out.is_json) {
          out.words.insert(out.words.end(), form.strings.begin(), form.strings.end());
        } else {
          out.words.push_back(command);
        }
        return std::nullopt;
      }
      case Syntax::instruction: {
        Instruction inner;
        if (out.rest.empty()) return std::nullopt;
        return read_instruction(out.rest, escape, inner);
      }
    }
    return std::nullopt;
  }

 private:
  std::string file_;
  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  std::vector<std::string> comments_;  // since the last instruction
  Dockerfile result_;
};

}  // namespace

Dockerfile parse_dockerfile(std::string_view text, const std::string& file) {
  return Parser(text, file).run();
}

std::optional<std::string> read_instruction(std::string_view text, char escape, Instruction& out) {
  return Parser::read_instruction(text, escape, out);
}

std::string written_keyword(const Instruction& instruction) {
  return instruction.text.substr(0, instruction.text.find_first_of(" \t\v\f\r\n"));
}

std::string with_source(const Diagnostic& diagnostic, std::string_view text, int last_line) {
  std::string out = to_string(diagnostic);
  if (diagnostic.line <= 0) return out;
  static constexpr int kAround = 2;
  int last = std::max(last_line, diagnostic.line);
  last = std::min(last, diagnostic.line + 8);
  auto lines = lines_of(text);
  int from = std::max(1, diagnostic.line - kAround);
  int to = std::min(static_cast<int>(lines.size()), last + kAround);
  out += "\n--------------------";
  for (int number = from; number <= to; ++number) {
    bool is_meant = number >= diagnostic.line && number <= last;
    out += fmt::format("\n {:3} | {}{}", number, is_meant ? ">>> " : "    ",
                       lines[static_cast<std::size_t>(number) - 1]);
  }
  return out + "\n--------------------";
}

}  // namespace slipway::image
