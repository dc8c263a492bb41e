// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::image {

/// The patterns of a .dockerignore: comments, blank lines and a byte order mark dropped, each trimmed and cleaned.
std::vector<std::string> read_ignore_file(std::string_view text);

/// Go's path.Clean: no "." and empty parts, ".." taken together with what it leaves; "." for nothing.
std::string clean_path(std::string_view path);

/// Decides which paths of a context are left out. Immutable: any number of threads.
///   source  moby/patternmatcher and buildkit's frontend/dockerfile/dockerignore
class IgnoreMatcher final {
 public:
  IgnoreMatcher();
  /// throws Error{bad_input} naming the pattern that is malformed (a bare "!", a bad class)
  explicit IgnoreMatcher(std::span<const std::string> patterns);
  IgnoreMatcher(IgnoreMatcher&&) noexcept;
  IgnoreMatcher& operator=(IgnoreMatcher&&) noexcept;
  ~IgnoreMatcher();

  /// What is known of the directory that holds a path: Verdict::as_parent of that directory, or default for the root's.
  struct Parent {
    std::vector<char> matched;  ///< by pattern
  };
  struct Verdict {
    bool is_ignored = false;
    bool prune =
        false;  ///< an ignored directory below which no exception can match: need not be walked
    Parent as_parent;  ///< for what is below
  };
  /// `path` is relative, slash separated, without "./".
  [[nodiscard]] Verdict verdict(std::string_view path, const Parent& parent) const;
  /// The same from nothing: asks for the path's parents itself.
  [[nodiscard]] bool is_ignored(std::string_view path) const;
  [[nodiscard]] bool has_patterns() const { return !patterns_.empty(); }
  /// True when a pattern is an exception ("!a").
  [[nodiscard]] bool has_exceptions() const;
  /// The patterns, cleaned; exceptions without their "!".
  [[nodiscard]] std::vector<std::string> texts() const;

 private:
  struct Pattern;
  [[nodiscard]] bool may_except_below(std::string_view directory) const;
  std::vector<Pattern> patterns_;
};

/// Go's filepath.Match for one whole path: `*` and `?` never match '/', classes, backslash escapes. A malformed pattern matches nothing.
bool matches_path(std::string_view pattern, std::string_view path);
/// False when Go's filepath.Match would answer ErrBadPattern.
bool is_path_pattern(std::string_view pattern);

}  // namespace slipway::image
