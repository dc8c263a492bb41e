// SPDX-License-Identifier: Apache-2.0
#include "image/dockerignore.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

bool ignored(std::vector<std::string> patterns, std::string_view path) {
  return IgnoreMatcher(patterns).is_ignored(path);
}

}  // namespace

TEST_CASE("an ignore file is trimmed, cleaned and without comments") {
  CHECK(read_ignore_file("\xEF\xBB\xBF# c\n  a/../b/ \n\n!  /c\n /d\n #e\n") ==
        std::vector<std::string>{"b", "!c", "d", "#e"});
}

TEST_CASE("patterns match as moby's do") {
  CHECK(ignored({"a"}, "a/b/c"));
  CHECK_FALSE(ignored({"a"}, "b/a"));
  CHECK(ignored({"*/temp*"}, "x/temporary.txt"));
  CHECK_FALSE(ignored({"*/temp*"}, "x/y/temporary.txt"));
  CHECK(ignored({"**/*.go"}, "a/b/c.go"));
  CHECK(ignored({"**/*.go"}, "c.go"));
  CHECK(ignored({"**/node_modules"}, "a/node_modules/x"));
  CHECK(ignored({"dir/**"}, "dir/a/b"));
  CHECK_FALSE(ignored({"dir/**"}, "dirx"));
  CHECK(ignored({"**"}, "anything/at/all"));
  CHECK(ignored({"a[b-d]e"}, "ace"));
  CHECK_FALSE(ignored({"a[^b-d]e"}, "ace"));
  CHECK(ignored({"a?c"}, "abc"));
  CHECK_FALSE(ignored({"a?c"}, "a/c"));
  CHECK(ignored({"a.c"}, "a.c"));
  CHECK_FALSE(ignored({"a.c"}, "abc"));
  CHECK(ignored({"a\\*"}, "a*"));
  CHECK_FALSE(ignored({"a\\*"}, "ab"));
}

TEST_CASE("of exceptions the last match wins") {
  std::vector<std::string> patterns{"*.md", "!README*.md", "README-secret.md"};
  CHECK(ignored(patterns, "x.md"));
  CHECK_FALSE(ignored(patterns, "README.md"));
  CHECK(ignored(patterns, "README-secret.md"));
  CHECK_FALSE(ignored({"a", "!a/b"}, "a/b/c"));
  CHECK(ignored({"a", "!a/b"}, "a/c"));
}

TEST_CASE("an ignored directory is walked only when something below may be an exception") {
  IgnoreMatcher plain(std::vector<std::string>{"a"});
  CHECK(plain.verdict("a", {}).prune);
  IgnoreMatcher excepted(std::vector<std::string>{"a", "!a/b", "c"});
  auto verdict = excepted.verdict("a", {});
  CHECK(verdict.is_ignored);
  CHECK_FALSE(verdict.prune);
  CHECK(excepted.verdict("c", {}).prune);
  CHECK_FALSE(excepted.verdict("a/b", verdict.as_parent).is_ignored);
  CHECK(excepted.verdict("a/x", verdict.as_parent).is_ignored);
}

TEST_CASE("malformed patterns are refused") {
  CHECK_THROWS_AS(IgnoreMatcher(std::vector<std::string>{"!"}), Error);
  CHECK_THROWS_AS(IgnoreMatcher(std::vector<std::string>{"a[b"}), Error);
}

TEST_CASE("paths match Go's filepath.Match") {
  CHECK(matches_path("*.c", "file.c"));
  CHECK_FALSE(matches_path("*.c", "dir/file.c"));
  CHECK(matches_path("dir*/f?le.[a-c]", "dir2/file.b"));
  CHECK(matches_path("a*b*c", "axxbyybzzc"));
  CHECK_FALSE(matches_path("a*b", "a/b"));
  CHECK(matches_path("\\[x\\]", "[x]"));
  CHECK_FALSE(matches_path("[]a]", "]"));
  CHECK_FALSE(matches_path("[-]", "-"));
  CHECK(matches_path("[^a]", "b"));
  CHECK(matches_path("?", "\xC3\xA9"));
  CHECK_FALSE(matches_path("a", "ab"));
  CHECK(clean_path("/a/./b/../c//") == "/a/c");
  CHECK(clean_path("../a") == "../a");
  CHECK(clean_path("") == ".");
}
