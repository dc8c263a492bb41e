// SPDX-License-Identifier: Apache-2.0
#include "actions/version_range.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::actions;

namespace {

bool in(const char* version, const char* range) {
  return satisfies(*parse_version(version), range);
}

}  // namespace

TEST_CASE("versions are read with and without their last numbers") {
  CHECK(parse_version("v20.11.1") == Version{20, 11, 1});
  CHECK(parse_version("20") == Version{20, 0, 0});
  CHECK_FALSE(parse_version("latest").has_value());
  CHECK_FALSE(parse_version("").has_value());
}

TEST_CASE("a number alone is every version that begins with it") {
  CHECK(in("20.11.1", "20"));
  CHECK(in("20.11.1", "20.x"));
  CHECK(in("20.11.1", "20.11"));
  CHECK(in("3.11.7", "3.11"));
  CHECK_FALSE(in("3.12.0", "3.11"));
  CHECK_FALSE(in("2.0.0", "20"));
  CHECK(in("20.11.1", "*"));
  CHECK(in("20.11.1", ""));
}

TEST_CASE("comparisons, carets, tildes, hyphens and alternatives are npm's") {
  CHECK(in("20.11.1", ">=18 <21"));
  CHECK(in("20.11.1", ">= 18"));
  CHECK_FALSE(in("21.0.0", ">=18 <21"));
  CHECK_FALSE(in("20.1.0", ">20"));
  CHECK(in("20.9.0", "<=20"));
  CHECK(in("18.20.0", "^18.1"));
  CHECK_FALSE(in("19.0.0", "^18.1"));
  CHECK_FALSE(in("0.3.0", "^0.2.1"));
  CHECK(in("18.1.9", "~18.1"));
  CHECK_FALSE(in("18.2.0", "~18.1"));
  CHECK(in("3.12.4", "3.9 - 3.12"));
  CHECK(in("22.0.0", "18 || 22"));
  CHECK_FALSE(in("20.0.0", "18 || 22"));
  CHECK_THROWS_AS(in("20.0.0", "twenty"), Error);
}
