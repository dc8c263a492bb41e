// SPDX-License-Identifier: Apache-2.0
#include "actions/image_tags.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::actions;
using Tags = std::vector<std::string>;

namespace {

TagFacts at(const std::string& ref) {
  return {.event = "push",
          .ref = ref,
          .sha = "860c1904a1ce19322e91ac35af1ab07466440c37",
          .default_branch = "main",
          .pull_number = {},
          .base_ref = {},
          .now = "2026-11-24T17:05:09Z"};
}

Tags tags(const Tags& rules, const std::string& ref, const Tags& flavor = {}) {
  return image_tags(rules, flavor, at(ref)).tags;
}

}  // namespace

TEST_CASE("without rules a branch is its name, a tag its name and latest") {
  CHECK(tags({}, "refs/heads/main") == Tags{"main"});
  CHECK(tags({}, "refs/heads/feature/x") == Tags{"feature-x"});
  CHECK(tags({}, "refs/tags/v1.2.3") == Tags{"v1.2.3", "latest"});
}

TEST_CASE("a pull request is pr-NUMBER, a schedule nightly") {
  auto facts = at("refs/pull/5/merge");
  facts.event = "pull_request";
  facts.pull_number = "5";
  CHECK(image_tags({}, {}, facts).tags == Tags{"pr-5"});
  auto nightly = at("refs/heads/main");
  nightly.event = "schedule";
  CHECK(image_tags({"type=schedule,pattern={{date 'YYYYMMDD'}}"}, {}, nightly).tags ==
        Tags{"20261124"});
}

TEST_CASE(
    "semantic versions give the parts that the pattern names; a pre-release only the whole, and no "
    "latest") {
  Tags rules = {"type=semver,pattern={{version}}", "type=semver,pattern={{major}}.{{minor}}",
                "type=semver,pattern={{major}}"};
  CHECK(tags(rules, "refs/tags/v1.2.3") == Tags{"1.2.3", "1.2", "1", "latest"});
  CHECK(tags(rules, "refs/tags/v2.0.8-beta.67") == Tags{"2.0.8-beta.67"});
  CHECK(tags(rules, "refs/heads/main").empty());
}

TEST_CASE("commits, raw values, edge and matches") {
  CHECK(tags({"type=sha"}, "refs/heads/main") == Tags{"sha-860c190"});
  CHECK(tags({"type=sha,format=long,prefix="}, "refs/heads/main") ==
        Tags{"860c1904a1ce19322e91ac35af1ab07466440c37"});
  CHECK(tags({"type=raw,value=x-{{sha}}", "type=edge", "latest"}, "refs/heads/main") ==
        Tags{"edge", "x-860c190", "latest"});
  CHECK(tags({"type=match,pattern=v(\\d+).(\\d+),group=1"}, "refs/tags/v12.3") ==
        Tags{"12", "latest"});
  CHECK(tags({"type=raw,value=stable,enable={{is_default_branch}}"}, "refs/heads/other").empty());
}

TEST_CASE("flavor sets latest, prefix and suffix; priority orders") {
  CHECK(tags({}, "refs/heads/main", {"latest=true", "prefix=p-,onlatest=true", "suffix=-s"}) ==
        Tags{"p-main-s", "p-latest"});
  CHECK(tags({}, "refs/tags/v1.0.0", {"latest=false"}) == Tags{"v1.0.0"});
  CHECK(tags({"type=sha,priority=2000", "type=ref,event=branch"}, "refs/heads/main") ==
        Tags{"sha-860c190", "main"});
  CHECK(image_tags({"type=ref,event=branch"}, {}, at("refs/heads/main")).version == "main");
}

TEST_CASE("a wrong rule is refused by its words") {
  CHECK_THROWS_WITH_AS(tags({"type=nonsense"}, "refs/heads/main"),
                       "Unknown tag type attribute: nonsense", Error);
  CHECK_THROWS_AS(tags({"type=ref,event=moon"}, "refs/heads/main"), Error);
  CHECK_THROWS_AS(tags({}, "refs/heads/main", {"later=true"}), Error);
}
