// SPDX-License-Identifier: Apache-2.0
#include "workflow/hash_files.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"

// The files are those of @actions/glob: each pattern names a place to search (its part before the first wildcard); from
// there directories are walked depth first, children in byte order, and a file counts when the last pattern that says
// something of it says yes. The order decides the hash, so it must be theirs.
namespace slipway::workflow {
namespace {

bool has_wildcard(std::string_view segment) {
  return segment.find_first_of("*?[") != std::string_view::npos;
}

std::vector<std::string> segments_of(const std::string& path) {
  auto parts = split(path, '/');
  std::erase(parts, "");
  std::erase(parts, ".");
  return parts;
}

// "[a-z]" at `at`; moves behind it and says whether it takes c. Nothing when it does not close.
std::optional<bool> class_takes(std::string_view pattern, std::size_t& at, char c) {
  auto i = at + 1;
  bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool inside = false;
  for (bool first = true; i < pattern.size() && (pattern[i] != ']' || first); first = false) {
    char from = pattern[i++];
    char to = from;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      to = pattern[i + 1];
      i += 2;
    }
    inside = inside || (from <= c && c <= to);
  }
  if (i >= pattern.size()) return std::nullopt;
  at = i + 1;
  return inside != negated;
}

// One path segment against one pattern segment: greedy, going back to the last star only.
bool segment_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  auto star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      auto next = p;
      bool takes = false;
      if (pattern[p] == '?') {
        takes = true;
        ++next;
      } else if (auto by_class =
                     pattern[p] == '[' ? class_takes(pattern, next, text[t]) : std::nullopt) {
        takes = *by_class;
      } else {
        if (pattern[p] == '\\' && p + 1 < pattern.size()) ++next;
        takes = pattern[next] == text[t];
        ++next;
      }
      if (takes) {
        p = next;
        ++t;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

class Pattern final {
 public:
  Pattern(std::vector<std::string> segments, bool negates, bool is_implicit)
      : segments_(std::move(segments)), negates_(negates), is_implicit_(is_implicit) {}

  [[nodiscard]] bool negates() const { return negates_; }
  [[nodiscard]] bool ends_in_globstar() const {
    return !segments_.empty() && segments_.back() == "**";
  }
  [[nodiscard]] Pattern with_descendants() const {
    auto segments = segments_;
    segments.push_back("**");
    return {std::move(segments), negates_, true};
  }
  [[nodiscard]] bool matches(const std::vector<std::string>& path) const {
    // "dir/**" is also the directory itself, except where it only stands for what is below another pattern.
    if (ends_in_globstar() && !is_implicit_ && path.size() + 1 == segments_.size())
      return match(path, 0, 0, true);
    return match(path, 0, 0, false);
  }
  /// Whether something below the path could match.
  [[nodiscard]] bool may_match_below(const std::vector<std::string>& path) const {
    return match(path, 0, 0, true);
  }
  [[nodiscard]] std::vector<std::string> search_path() const {
    std::vector<std::string> literal;
    for (const auto& segment : segments_) {
      if (has_wildcard(segment)) break;
      literal.push_back(segment);
    }
    return literal;
  }

 private:
  bool match(const std::vector<std::string>& path, std::size_t i, std::size_t j,
             bool partial) const {
    for (; i < path.size(); ++i, ++j) {
      if (j == segments_.size()) return false;
      if (segments_[j] == "**") {
        if (j + 1 == segments_.size()) return true;
        for (auto k = i; k <= path.size(); ++k) {
          if (k < path.size() ? match(path, k, j + 1, partial) : partial) return true;
        }
        return false;
      }
      if (!segment_matches(segments_[j], path[i])) return false;
    }
    return partial || j == segments_.size();
  }

  std::vector<std::string> segments_;
  bool negates_;
  bool is_implicit_;
};

class Globber final {
 public:
  Globber(const FileTree& tree, std::string workspace, const std::vector<std::string>& patterns,
          std::string home)
      : tree_(tree), workspace_(std::move(workspace)), home_(std::move(home)) {
    for (const auto& argument : patterns) {
      for (auto line : lines_of(argument)) add(std::string(trim(line)));
    }
  }

  std::vector<std::string> files() {
    for (const auto& path : search_paths()) walk(path);
    return std::move(files_);
  }

 private:
  void add(std::string line) {
    if (line == "--follow-symbolic-links") {
      follow_ = true;
      return;
    }
    if (line.empty() || line[0] == '#') return;
    bool negates = false;
    for (; line.starts_with('!'); line.erase(0, 1)) negates = !negates;
    line = std::string(trim(line));
    if (line.empty()) return;
    if (line == "~" || line.starts_with("~/")) {
      line = home_ + line.substr(1);
    } else if (!line.starts_with('/')) {
      line = workspace_ + "/" + line;
    }
    bool trailing = line.ends_with('/');
    auto segments = segments_of(line);
    if (std::find(segments.begin(), segments.end(), "..") != segments.end()) {
      fail(Fault::failed, "hashFiles: '..' is not allowed in the pattern '{}'", line);
    }
    Pattern pattern(std::move(segments), negates, false);
    bool implies_descendants = trailing || !pattern.ends_in_globstar();
    auto descendants = pattern.with_descendants();
    patterns_.push_back(std::move(pattern));
    if (implies_descendants) patterns_.push_back(std::move(descendants));
  }

  // Of each pattern in order, without those below another.
  [[nodiscard]] std::vector<std::vector<std::string>> search_paths() const {
    std::vector<std::vector<std::string>> all;
    for (const auto& pattern : patterns_) {
      if (!pattern.negates()) all.push_back(pattern.search_path());
    }
    std::vector<std::vector<std::string>> result;
    for (const auto& path : all) {
      bool is_covered = std::any_of(all.begin(), all.end(), [&](const auto& other) {
        return other.size() < path.size() && std::equal(other.begin(), other.end(), path.begin());
      });
      if (!is_covered && std::find(result.begin(), result.end(), path) == result.end())
        result.push_back(path);
    }
    return result;
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the directories are
  void walk(const std::vector<std::string>& path) {
    bool matches = false;
    for (const auto& pattern : patterns_) {
      if (pattern.matches(path)) matches = !pattern.negates();
    }
    bool goes_on =
        matches || std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) {
          return !pattern.negates() && pattern.may_match_below(path);
        });
    if (!goes_on) return;
    auto text = "/" + join(path, "/");
    auto kind = tree_.kind(text, follow_);
    if (kind == FileTree::Kind::directory) {
      auto child = path;
      child.emplace_back();
      for (const auto& name : tree_.children(text)) {
        child.back() = name;
        walk(child);
      }
    } else if (matches && kind != FileTree::Kind::none) {
      files_.push_back(text);
    }
  }

  const FileTree& tree_;
  std::string workspace_;
  std::string home_;
  bool follow_ = false;
  std::vector<Pattern> patterns_;
  std::vector<std::string> files_;
};

}  // namespace

std::string hash_files(const FileTree& tree, const std::string& workspace,
                       const std::vector<std::string>& patterns, const std::string& home) {
  std::string below = workspace;
  while (below.ends_with('/')) below.pop_back();
  formats::Sha256 hasher;
  bool any = false;
  for (const auto& file : Globber(tree, below, patterns, home).files()) {
    bool is_inside = file.starts_with(below + "/");
    if (!is_inside || tree.kind(file, true) != FileTree::Kind::file) continue;
    hasher.update(tree.sha256(file));
    any = true;
  }
  return any ? hasher.hex() : "";
}

}  // namespace slipway::workflow
