// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <latch>

#include "base/deadline.hpp"
#include "base/edit_distance.hpp"
#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"

using namespace slipway;

TEST_CASE("while_doing puts what was being done before the message and keeps the fault") {
  try {
    while_doing("pulling alpine:3", [] { fail(Fault::not_found, "no such image"); });
    FAIL("must throw");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "pulling alpine:3: no such image");
    CHECK(error.fault() == Fault::not_found);
  }
}

TEST_CASE("a diagnostic prints file, line and column as far as they are known") {
  CHECK(to_string({"a.yml", 3, 7, "bad key"}) == "a.yml:3:7: bad key");
  CHECK(to_string({"a.yml", 0, 0, "empty"}) == "a.yml: empty");
  CHECK(to_string({"", 2, 1, "bad"}) == "line 2:1: bad");
}

TEST_CASE("the first exception of a task stops its siblings and comes out of join") {
  TaskGroup group{std::stop_token{}};
  Guarded<int> never;
  bool stopped = false;
  group.start([&](const std::stop_token& stop) {
    stopped = !never.wait(
        stop, Deadline::never(), [](int v) { return v == 1; }, [](int) {});
  });
  group.start([](const std::stop_token&) { fail(Fault::failed, "first"); });
  CHECK_THROWS_AS(group.join(), Error);
  CHECK(stopped);
}

TEST_CASE("an outer stop reaches tasks, and tasks may start tasks") {
  std::stop_source outer;
  TaskGroup group(outer.get_token());
  std::latch started(1);
  std::atomic<int> ended = 0;
  group.start([&](std::stop_token) {
    group.start([&](const std::stop_token& stop) {
      started.count_down();
      Guarded<int> never;
      never.wait(
          stop, Deadline::never(), [](int v) { return v == 1; }, [](int) {});
      ++ended;
    });
  });
  started.wait();
  outer.request_stop();
  group.join();
  CHECK(ended == 1);
}

TEST_CASE("a guarded value waits until its condition or its deadline") {
  Guarded<int> value(0);
  CHECK_FALSE(value.wait(
      {}, Deadline::in(std::chrono::milliseconds(1)), [](int v) { return v > 0; }, [](int) {}));
  value.with([](int& v) { v = 5; });
  int seen = 0;
  CHECK(value.wait(
      {}, Deadline::never(), [](int v) { return v > 0; }, [&](int v) { seen = v; }));
  CHECK(seen == 5);
}

TEST_CASE("base64 round-trips and refuses what is not canonical") {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(unbase64(base64(text)) == text);
    CHECK(unbase64url(base64url(text)) == text);
  }
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK_FALSE(unbase64("Zm9vYg="));
  CHECK_FALSE(unbase64("Zm9vYh=="));  // bits that encode nothing
  CHECK_FALSE(unbase64url("a"));
  CHECK_FALSE(unbase64url("ab+/"));
}

TEST_CASE("text helpers") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(lines_of("a\r\nb\n\nc").size() == 4);
  CHECK(trim(" \t x y \n") == "x y");
  CHECK(hex("\x01\xff") == "01ff");
  CHECK(unhex("01FF") == std::string("\x01\xff"));
  CHECK_FALSE(unhex("0g"));
  CHECK(to_integer("-12") == -12);
  CHECK_FALSE(to_integer("12a"));
  CHECK_FALSE(to_integer(""));
  CHECK(equals_ignoring_case("GitHub", "gITHUB"));
  CHECK(replace_all("aXbX", "X", "yX") == "ayXbyX");
  CHECK(uuid().size() == 36);
}

TEST_CASE("wildcards match runs and single characters") {
  CHECK(matches_wildcard("repo:acme/*:ref:refs/heads/*", "repo:acme/shop:ref:refs/heads/main"));
  CHECK(matches_wildcard("a?c*", "abc"));
  CHECK_FALSE(matches_wildcard("a?c", "ac"));
  CHECK(matches_wildcard("*", ""));
  CHECK_FALSE(matches_wildcard("", "x"));
}

TEST_CASE("the distance of two words is what must be typed otherwise") {
  CHECK(edit_distance("checkout", "checkout") == 0);
  CHECK(edit_distance("action/checkout", "actions/checkout") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
}

TEST_CASE("the nearest word is meant when little was typed otherwise") {
  std::vector<std::string> known{"FROM", "COPY", "RUN"};
  CHECK(nearest_word("cpoy", known, false) == "copy");
  CHECK(nearest_word("CPOY", known, false) == "COPY");
  CHECK(nearest_word("cpoy", known).empty());
  CHECK(nearest_word("RUN", known).empty());
  CHECK(nearest_word("RNU", std::vector<std::string>{"ENV", "RUN"}) == "RUN");
  CHECK(did_you_mean("COPYY", known) == " (did you mean COPY?)");
  CHECK(did_you_mean("EXPOSE", known).empty());
}
