// SPDX-License-Identifier: Apache-2.0
#include "image/expand.hpp"

#include <algorithm>
#include <span>

#include "base/text.hpp"
#include "image/words.hpp"

namespace slipway::image {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Bytes of a multi-byte character count as letters, as letters outside ASCII do in Go.
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

// Collects words: white space that was not quoted ends one.
class Words {
 public:
  void add_char(char c) {
    if (is_space(c)) {
      end();
    } else {
      add_raw(c);
    }
  }
  void add_raw(char c) {
    word_ += c;
    in_word_ = true;
  }
  void add_text(std::string_view text) {
    for (char c : text) add_char(c);
  }
  void add_raw_text(std::string_view text) {
    word_ += text;
    in_word_ = true;
  }
  std::vector<std::string> take() {
    end();
    return std::move(words_);
  }

 private:
  void end() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

// A shell pattern of `*`, `?` and escaped characters, as a list of literals and wildcards.
struct PatternItem {
  enum class Kind { literal, one, any } kind = Kind::literal;
  std::string literal;
};

// Patterns match characters, not bytes: each with the bytes that continue it.
using Characters = std::vector<std::string>;
using CharacterSpan = std::span<const std::string>;

Characters characters_of(std::string_view text) {
  Characters out;
  for (char c : text) {
    bool continues = (static_cast<unsigned char>(c) & 0xC0u) == 0x80;
    if (!continues || out.empty()) out.emplace_back();
    out.back() += c;
  }
  return out;
}

std::string text_of(CharacterSpan characters) { return join(characters, ""); }

std::vector<PatternItem> read_pattern(std::string_view text) {
  const Characters pattern = characters_of(text);
  std::vector<PatternItem> items;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string* c = &pattern[i];
    if (*c == "*") {
      if (items.empty() || items.back().kind != PatternItem::Kind::any)
        items.push_back({PatternItem::Kind::any});
    } else if (*c == "?") {
      items.push_back({PatternItem::Kind::one});
    } else {
      if (*c == "\\" && i + 1 < pattern.size()) c = &pattern[++i];
      items.push_back({PatternItem::Kind::literal, *c});
    }
  }
  return items;
}

// ends[i] is true when the pattern can match text[0, i). Linear in text × pattern: no backtracking to blow up.
std::vector<char> match_ends(const std::vector<PatternItem>& items, CharacterSpan text) {
  std::vector<char> ends(text.size() + 1, 0);
  ends[0] = 1;
  for (const auto& item : items) {
    std::vector<char> next(text.size() + 1, 0);
    bool reached = false;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (item.kind == PatternItem::Kind::any) {
        reached = reached || ends[i] != 0;
        next[i] = reached ? 1 : 0;
      } else if (i > 0 && ends[i - 1] != 0 &&
                 (item.kind == PatternItem::Kind::one || item.literal == text[i - 1])) {
        next[i] = 1;
      }
    }
    ends = std::move(next);
  }
  return ends;
}

std::optional<std::size_t> match_length(const std::vector<PatternItem>& items, CharacterSpan text,
                                        bool longest) {
  auto ends = match_ends(items, text);
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] == 0) continue;
    found = i;
    if (!longest) break;
  }
  return found;
}

std::string without_prefix(std::string_view pattern, std::string_view value, bool longest) {
  const Characters text = characters_of(value);
  auto length = match_length(read_pattern(pattern), text, longest);
  return text_of(CharacterSpan(text).subspan(length.value_or(0)));
}

std::string without_suffix(std::string_view pattern, std::string_view value, bool longest) {
  auto items = read_pattern(pattern);
  std::reverse(items.begin(), items.end());
  const Characters text = characters_of(value);
  auto length = match_length(items, Characters(text.rbegin(), text.rend()), longest);
  return text_of(CharacterSpan(text).first(text.size() - length.value_or(0)));
}

std::string replaced(std::string_view pattern, std::string_view text, std::string_view with,
                     bool all) {
  auto items = read_pattern(pattern);
  if (items.empty()) return std::string(text);
  const Characters characters = characters_of(text);
  const CharacterSpan value = characters;
  std::string out;
  std::size_t at = 0;
  while (at <= value.size()) {
    auto length = match_length(items, value.subspan(at), true);
    if (length && (*length > 0 || at == 0)) {
      out += with;
      at += *length;
      if (!all) break;
      if (*length > 0) continue;
    }
    if (at < value.size()) out += value[at];
    ++at;
  }
  if (at < value.size()) out += text_of(value.subspan(at));
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view text, const Lookup& lookup, const ExpandOptions& options)
      : text_(text), lookup_(lookup), options_(options) {}

  Expanded run() {
    Expanded result;
    Words words;
    result.text = until(std::nullopt, options_.keep_escapes, &words, 0);
    result.words = words.take();
    result.error = error_;
    result.unset = std::move(unset_);
    return result;
  }

 private:
  static constexpr int kMaxDepth = 100;

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  void fail_with(std::string message) {
    if (!error_) error_ = std::move(message);
    at_ = text_.size();
  }

  std::string until(std::optional<char> stop, bool keep_escapes, Words* words, int depth) {
    std::string out;
    Words ignored;
    if (!words) words = &ignored;
    while (!at_end()) {
      char c = peek();
      if (stop && c == *stop) {
        ++at_;
        return out;
      }
      if (c == '$') {
        std::string value = dollar(depth);
        words->add_text(value);
        out += value;
      } else if (c == '<') {
        std::string text = less_than();
        words->add_raw_text(text);
        out += text;
      } else if (!options_.no_quotes && (c == '\'' || c == '"')) {
        std::string value = c == '"' ? double_quoted(keep_escapes, depth) : single_quoted();
        words->add_raw_text(value);
        out += value;
      } else {
        ordinary(keep_escapes, out, *words);
      }
    }
    if (stop)
      fail_with(fmt::format("unexpected end of statement while looking for matching {}", *stop));
    return out;
  }

  void ordinary(bool keep_escapes, std::string& out, Words& words) {
    char c = text_[at_++];
    if (c != options_.escape) {
      words.add_char(c);
      out += c;
      return;
    }
    if (keep_escapes) {
      words.add_raw(c);
      out += c;
    }
    if (at_end()) return;
    c = text_[at_++];
    words.add_raw(c);
    out += c;
  }

  // "<<" keeps the white space behind it: "<< EOF" is one word, a heredoc's.
  std::string less_than() {
    std::string out{text_[at_++]};
    if (at_end() || peek() != '<') return out;
    out += text_[at_++];
    while (!at_end() && std::string_view(" \t\r").find(peek()) != std::string_view::npos)
      out += text_[at_++];
    return out;
  }

  std::string single_quoted() {
    std::string out;
    if (options_.keep_quotes) out += '\'';
    ++at_;
    while (!at_end()) {
      char c = text_[at_++];
      if (c == '\'') {
        if (options_.keep_quotes) out += c;
        return out;
      }
      out += c;
    }
    fail_with("unexpected end of statement while looking for matching single-quote");
    return out;
  }

  std::string double_quoted(bool keep_escapes, int depth) {
    std::string out;
    if (options_.keep_quotes) out += '"';
    ++at_;
    while (!at_end()) {
      char c = peek();
      if (c == '"') {
        ++at_;
        if (options_.keep_quotes) out += c;
        return out;
      }
      if (c == '$') {
        out += dollar(depth);
        continue;
      }
      ++at_;
      if (c == options_.escape) {
        if (keep_escapes) out += c;
        if (at_end()) continue;
        if (char next = peek(); next == '"' || next == '$' || next == options_.escape) {
          c = next;
          ++at_;
        } else if (keep_escapes) {
          continue;
        }
      }
      out += c;
    }
    fail_with("unexpected end of statement while looking for matching double-quote");
    return out;
  }

  std::string name() {
    std::string out;
    while (!at_end()) {
      char c = peek();
      if (out.empty() && is_digit(c)) {
        while (!at_end() && is_digit(peek())) out += text_[at_++];
        return out;
      }
      if (out.empty() && std::string_view("@*#?-$!").find(c) != std::string_view::npos)
        return {text_[at_++]};
      if (!is_letter(c) && !is_digit(c) && c != '_') break;
      out += text_[at_++];
    }
    return out;
  }

  std::string dollar(int depth) {
    ++at_;
    if (at_end()) return "$";
    if (depth > kMaxDepth) {
      fail_with("substitutions are nested too deep");
      return {};
    }
    if (peek() == '{') {
      ++at_;
      return braced(depth + 1);
    }
    std::string variable = name();
    if (variable.empty()) return "$";
    auto value = value_of(variable);
    if (!value && options_.keep_unset) return "$" + variable;
    return value.value_or("");
  }

  std::optional<std::string> value_of(const std::string& variable) {
    auto value = lookup_(variable);
    if (!value && std::find(unset_.begin(), unset_.end(), variable) == unset_.end())
      unset_.push_back(variable);
    return value;
  }

  std::string braced(int depth) {
    if (at_end()) return bad("syntax error: missing '}'");
    if (peek() == '}') return bad("syntax error: bad substitution");
    std::string variable = name();
    if (at_end()) return bad("syntax error: missing '}'");
    char modifier = text_[at_++];
    if (modifier == '}') {
      auto value = value_of(variable);
      if (!value && options_.keep_unset) return "${" + variable + "}";
      return value.value_or("");
    }
    if (variable.empty()) return bad("syntax error: bad substitution");
    if (modifier == '/') return replacement(variable, depth);
    bool empty_is_unset = modifier == ':';
    std::string written(1, modifier);
    if (empty_is_unset) {
      if (at_end()) return bad("syntax error: missing '}'");
      modifier = text_[at_++];
      written += modifier;
    }
    bool is_trim = modifier == '#' || modifier == '%';
    bool known =
        modifier == '-' || modifier == '+' || modifier == '?' || (is_trim && !empty_is_unset);
    if (!known) return bad(fmt::format("unsupported modifier ({}) in substitution", written));
    bool longest = is_trim && !at_end() && peek() == modifier;
    if (longest) ++at_;
    std::string word = until('}', is_trim, nullptr, depth);
    if (error_) return {};
    return modified(variable, modifier, empty_is_unset, longest, word);
  }

  std::string modified(const std::string& variable, char modifier, bool empty_is_unset,
                       bool longest, const std::string& word) {
    auto value = value_of(variable);
    const bool is_set = value.has_value();
    if (value && empty_is_unset && value->empty()) value.reset();
    switch (modifier) {
      case '-':
        return value ? *value : word;
      case '+':
        return value ? word : std::string();
      case '?':
        if (value) return *value;
        return bad(fmt::format("{}: {}", variable,
                               !word.empty() ? word
                               : is_set      ? "is not allowed to be empty"
                                             : "is not allowed to be unset"));
      case '#':
        return without_prefix(word, value.value_or(""), longest);
      default:
        return without_suffix(word, value.value_or(""), longest);
    }
  }

  std::string replacement(const std::string& variable, int depth) {
    bool all = !at_end() && peek() == '/';
    if (all) ++at_;
    std::string pattern = until('/', true, nullptr, depth);
    std::string with = until('}', true, nullptr, depth);
    if (error_) return {};
    auto value = value_of(variable);
    if (!value && options_.keep_unset) return fmt::format("${{{}/{}/{}}}", variable, pattern, with);
    return replaced(pattern, value.value_or(""), with, all);
  }

  std::string bad(std::string message) {
    fail_with(std::move(message));
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  const Lookup& lookup_;
  const ExpandOptions& options_;
  std::vector<std::string> unset_;
  std::optional<std::string> error_;
};

}  // namespace

Expanded expand(std::string_view text, const Lookup& lookup, const ExpandOptions& options) {
  return Lexer(text, lookup, options).run();
}

}  // namespace slipway::image
