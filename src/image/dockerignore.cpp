// SPDX-License-Identifier: Apache-2.0
#include "image/dockerignore.hpp"

#include <re2/re2.h>

#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::image {

std::string clean_path(std::string_view path) {
  bool is_rooted = path.starts_with('/');
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (at <= path.size()) {
    auto end = std::min(path.find('/', at), path.size());
    auto part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !is_rooted) {
      parts.push_back(part);
    }
  }
  std::string out = is_rooted ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += '/';
    out += parts[i];
  }
  return out.empty() ? "." : out;
}

std::vector<std::string> read_ignore_file(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> patterns;
  for (auto line : lines_of(text)) {
    if (line.starts_with('#')) continue;
    line = trim(line);
    if (line.empty()) continue;
    bool is_exception = line.front() == '!';
    if (is_exception) line = trim(line.substr(1));
    std::string pattern;
    if (!line.empty()) {
      pattern = clean_path(line);
      if (pattern.size() > 1 && pattern.front() == '/') pattern.erase(0, 1);
    }
    patterns.push_back((is_exception ? "!" : "") + pattern);
  }
  return patterns;
}

namespace {

// One step of filepath.Match: whether `c` is in the class that starts after '['. `at` moves behind the ']'.
// Nothing when the class is malformed.
std::optional<bool> in_class(std::string_view pattern, std::size_t& at, char c) {
  bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  int ranges = 0;
  auto get = [&]() -> std::optional<char> {
    if (at >= pattern.size() || pattern[at] == '-' || pattern[at] == ']') return std::nullopt;
    if (pattern[at] == '\\' && ++at >= pattern.size()) return std::nullopt;
    return pattern[at++];
  };
  while (true) {
    if (at >= pattern.size()) return std::nullopt;
    if (pattern[at] == ']' && ranges > 0) {
      ++at;
      return found != negated;
    }
    auto low = get();
    if (!low || at >= pattern.size()) return std::nullopt;
    auto high = low;
    if (pattern[at] == '-') {
      ++at;
      high = get();
      if (!high || at >= pattern.size()) return std::nullopt;
    }
    auto value = static_cast<unsigned char>(c);
    if (static_cast<unsigned char>(*low) <= value && value <= static_cast<unsigned char>(*high))
      found = true;
    ++ranges;
  }
}

std::size_t character_size(std::string_view text, std::size_t at) {
  auto first = static_cast<unsigned char>(text[at]);
  std::size_t size = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return std::min(size, text.size() - at);
}

// Matches one item of the pattern that is not '*'; moves both positions. False: no match.
bool match_item(std::string_view pattern, std::size_t& p, std::string_view text, std::size_t& t) {
  if (t >= text.size()) return false;
  char c = pattern[p];
  if (c == '?') {
    if (text[t] == '/') return false;
    ++p;
    t += character_size(text, t);
    return true;
  }
  if (c == '[') {
    std::size_t at = p + 1;
    auto found = in_class(pattern, at, text[t]);
    if (!found || !*found) return false;
    p = at;
    t += character_size(text, t);
    return true;
  }
  if (c == '\\' && p + 1 < pattern.size()) c = pattern[++p];
  if (text[t] != c) return false;
  ++p;
  ++t;
  return true;
}

}  // namespace

bool is_path_pattern(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size();) {
    if (pattern[i] == '\\') {
      if (i + 1 >= pattern.size()) return false;
      i += 2;
    } else if (pattern[i] == '[') {
      ++i;
      if (!in_class(pattern, i, 'x')) return false;
    } else {
      ++i;
    }
  }
  return true;
}

bool matches_path(std::string_view pattern, std::string_view path) {
  if (!is_path_pattern(pattern)) return false;
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::pair<std::size_t, std::size_t>>
      star;  // where to go on after the last '*' took one more
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, t};
      continue;
    }
    if (p < pattern.size() && match_item(pattern, p, path, t)) continue;
    if (p == pattern.size() && t == path.size()) return true;
    if (!star || star->second >= path.size() || path[star->second] == '/') return false;
    p = star->first;
    t = ++star->second;
  }
}

struct IgnoreMatcher::Pattern {
  enum class Kind { exact, prefix, suffix, expression };
  Kind kind = Kind::exact;
  bool is_exception = false;
  std::string text;    // without '!'
  std::string needle;  // what kind compares with
  std::unique_ptr<re2::RE2> expression;

  explicit Pattern(std::string_view pattern) {
    is_exception = pattern.starts_with('!');
    text = clean_path(is_exception ? pattern.substr(1) : pattern);
    compile();
  }

  // Go's regexp and RE2 are the same language; the cases without one are the originals' shortcuts, with their quirks.
  void compile() {
    std::string regular = "^";
    needle = text;
    bool at_first = true;
    for (std::size_t i = 0; i < text.size(); at_first = false) {
      char c = text[i++];
      if (c == '*' && i < text.size() && text[i] == '*') {
        ++i;
        if (i < text.size() && text[i] == '/') ++i;
        if (i == text.size()) {
          regular += ".*";
          kind = kind == Kind::exact ? Kind::prefix : Kind::expression;
          if (kind == Kind::prefix) needle = text.substr(0, text.rfind("**"));
        } else {
          regular += "(.*/)?";
          kind = Kind::expression;
        }
        if (at_first) {
          kind = Kind::suffix;
          needle = text.substr(2);
        }
      } else if (c == '*') {
        regular += "[^/]*";
        kind = Kind::expression;
      } else if (c == '?') {
        regular += "[^/]";
        kind = Kind::expression;
      } else if (std::string_view(".+()|{}$").find(c) != std::string_view::npos) {
        regular += '\\';
        regular += c;
      } else if (c == '\\') {
        regular += '\\';
        if (i < text.size()) regular += text[i++];
        kind = Kind::expression;
      } else {
        if (c == '[' || c == ']') kind = Kind::expression;
        regular += c;
      }
    }
    if (kind != Kind::expression) return;
    re2::RE2::Options options;
    options.set_log_errors(false);
    expression = std::make_unique<re2::RE2>(regular + "$", options);
    if (!expression->ok()) fail(Fault::bad_input, "syntax error in pattern '{}'", text);
  }

  [[nodiscard]] bool matches(std::string_view path) const {
    switch (kind) {
      case Kind::exact:
        return path == needle;
      case Kind::prefix:
        return path.starts_with(needle);
      case Kind::suffix:
        return path.ends_with(needle) ||
               (needle.starts_with('/') && path == std::string_view(needle).substr(1));
      case Kind::expression:
        return re2::RE2::PartialMatch(re2::StringPiece(path.data(), path.size()), *expression);
    }
    return false;
  }

  [[nodiscard]] bool matches_or_parent_does(std::string_view path) const {
    for (auto slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      if (matches(path.substr(0, slash))) return true;
    }
    return matches(path);
  }
};

IgnoreMatcher::IgnoreMatcher() = default;
IgnoreMatcher::IgnoreMatcher(IgnoreMatcher&&) noexcept = default;
IgnoreMatcher& IgnoreMatcher::operator=(IgnoreMatcher&&) noexcept = default;
IgnoreMatcher::~IgnoreMatcher() = default;

IgnoreMatcher::IgnoreMatcher(std::span<const std::string> patterns) {
  for (const auto& given : patterns) {
    auto pattern = trim(given);
    if (pattern.empty()) continue;
    if (pattern == "!") fail(Fault::bad_input, "illegal exclusion pattern: \"!\"");
    if (!is_path_pattern(pattern)) fail(Fault::bad_input, "syntax error in pattern '{}'", pattern);
    patterns_.emplace_back(pattern);
  }
}

bool IgnoreMatcher::may_except_below(std::string_view directory) const {
  std::string inside = std::string(directory) + "/";
  for (const auto& pattern : patterns_) {
    if (!pattern.is_exception) continue;
    std::string_view text = pattern.text;
    if (text.ends_with("/**")) text.remove_suffix(3);
    if (text.find_first_of("*?[\\") != std::string_view::npos) return true;
    if ((std::string(text) + "/").starts_with(inside)) return true;
  }
  return false;
}

IgnoreMatcher::Verdict IgnoreMatcher::verdict(std::string_view path, const Parent& parent) const {
  Verdict verdict;
  verdict.as_parent.matched.resize(patterns_.size());
  bool knows_parent = parent.matched.size() == patterns_.size();
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const auto& pattern = patterns_[i];
    bool matched = knows_parent && parent.matched[i] != 0;
    if (!matched) {
      if (pattern.is_exception != verdict.is_ignored) continue;  // it could not change the answer
      matched = knows_parent ? pattern.matches(path) : pattern.matches_or_parent_does(path);
    }
    verdict.as_parent.matched[i] = matched ? 1 : 0;
    if (matched) verdict.is_ignored = !pattern.is_exception;
  }
  verdict.prune = verdict.is_ignored && !may_except_below(path);
  return verdict;
}

bool IgnoreMatcher::has_exceptions() const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [](const auto& pattern) { return pattern.is_exception; });
}

std::vector<std::string> IgnoreMatcher::texts() const {
  std::vector<std::string> out;
  for (const auto& pattern : patterns_) out.push_back(pattern.text);
  return out;
}

bool IgnoreMatcher::is_ignored(std::string_view path) const { return verdict(path, {}).is_ignored; }

}  // namespace slipway::image
