// SPDX-License-Identifier: Apache-2.0
#include "workflow/problem_matcher.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::workflow;

namespace {

MatcherSet::List matchers(const std::string& text) {
  return read_matchers(formats::parse_json(text));
}

constexpr const char* kTsc = R"({"problemMatcher": [{"owner": "tsc", "pattern": [{
  "regexp": "^(?:\\s+\\d+\\>)?([^\\s].*)\\((\\d+),?(\\d+)?(?:,\\d+,\\d+)?\\)\\s*:\\s+(error|warning|info)\\s+(\\w{1,2}\\d+)\\s*:\\s+(.*)$",
  "file": 1, "line": 2, "column": 3, "severity": 4, "code": 5, "message": 6}]}]})";
constexpr const char* kStylish = R"({"problemMatcher": [{"owner": "eslint-stylish", "pattern": [
  {"regexp": "^([^\\s].*)$", "file": 1},
  {"regexp": "^\\s+(\\d+):(\\d+)\\s+(error|warning|info)\\s+(.*)\\s\\s+(.*)$", "line": 1, "column": 2, "severity": 3, "message": 4, "code": 5, "loop": true}]}]})";

}  // namespace

TEST_CASE(
    "a matcher of one line finds file, line, column, severity and message, whatever the colours") {
  MatcherSet set;
  set.add(matchers(kTsc));
  MatcherRun run(set);
  auto found = run.take("\x1b[31msrc/a.ts\x1b[0m(3,7): warning TS2304: Cannot find name 'x'.");
  REQUIRE(found);
  CHECK(found->file == "src/a.ts");
  CHECK(found->line == 3);
  CHECK(found->column == 7);
  CHECK(found->severity == Severity::warning);
  CHECK(found->code == "TS2304");
  CHECK(found->message == "Cannot find name 'x'.");
  CHECK(!run.take("src/a.ts compiled"));
  CHECK(!run.take("src/a.ts(3,7): info TS2304: not a severity that is shown"));
}

TEST_CASE("a matcher that loops keeps the file for all lines that follow") {
  MatcherSet set;
  set.add(matchers(kStylish));
  MatcherRun run(set);
  CHECK(!run.take("src/one.js"));
  auto first = run.take("  1:10  error  'x' is not defined  no-undef");
  auto second = run.take("  2:3   warning  Missing semicolon  semi");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->file == "src/one.js");
  CHECK(second->file == "src/one.js");
  CHECK(second->line == 2);
  CHECK(second->severity == Severity::warning);
  CHECK(!run.take(""));  // breaks it off
  CHECK(!run.take("  9:9  error  nowhere  none"));
  CHECK(!run.take("src/two.js"));
  CHECK(run.take("  4:1  error  again  x")->file == "src/two.js");
}

TEST_CASE("three patterns follow each other, and one that fails starts anew") {
  MatcherSet set;
  set.add(matchers(R"({"problemMatcher": [{"owner": "py", "severity": "warning", "pattern": [
    {"regexp": "^file (.*)$", "file": 1}, {"regexp": "^line (\\d+)$", "line": 1}, {"regexp": "^says (.*)$", "message": 1}]}]})"));
  MatcherRun run(set);
  run.take("file a");
  run.take("line 4");
  auto found = run.take("says no");
  REQUIRE(found);
  CHECK(found->file == "a");
  CHECK(found->line == 4);
  CHECK(found->severity == Severity::warning);
  run.take("file b");
  run.take("something else");
  run.take("line 5");
  CHECK(!run.take("says nothing"));
}

TEST_CASE("the newest matcher is asked first, an owner has one, and a removed one finds nothing") {
  MatcherSet set;
  set.add(matchers(
      R"j({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": "bad (.*)", "message": 1}]}]})j"));
  MatcherRun run(set);
  set.add(matchers(
      R"j({"problemMatcher": [{"owner": "b", "severity": "notice", "pattern": [{"regexp": "(bad) .*", "message": 1}]}]})j"));
  CHECK(run.take("bad thing")->message == "bad");
  set.add(matchers(
      R"j({"problemMatcher": [{"owner": "A", "pattern": [{"regexp": "worse (.*)", "message": 1}]}]})j"));
  set.remove("B");
  CHECK(!run.take("bad thing"));
  CHECK(run.take("worse thing")->message == "thing");
  set.remove("a");
  CHECK(run.is_idle());
}

TEST_CASE("a file of matchers that is wrong is told what is") {
  for (
      const char* text :
      {R"({})", R"({"problemMatcher": [{"pattern": [{"regexp": "x", "message": 0}]}]})",
       R"j({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": "(x", "message": 1}]}]})j",
       R"j({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": "(x)", "message": 2}]}]})j",
       R"j({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": "(x)", "message": 1, "loop": true}]}]})j",
       R"j({"problemMatcher": [{"owner": "a", "severity": "bad", "pattern": [{"regexp": "(x)", "message": 1}]}]})j"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(matchers(text), Error);
  }
}
