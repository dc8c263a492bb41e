// SPDX-License-Identifier: Apache-2.0
#include "container/log_file.hpp"

#include <doctest/doctest.h>

#include "os/file.hpp"

using namespace slipway;
using namespace slipway::container;

TEST_CASE("a log line survives being written and read") {
  LogLine line{1795539600123, true, false, "hello  world "};
  CHECK(to_string(line) == "2026-11-24T17:00:00.123Z stderr F hello  world \n");
  CHECK(parse_log_line(to_string(line)) == line);
  LogLine empty{1795539600000, false, true, ""};
  CHECK(parse_log_line(to_string(empty)) == empty);
}

TEST_CASE("what is no log line is not taken for one") {
  for (const char* text :
       {"", "x", "2026-11-24T17:00:00.123Z", "2026-11-24T17:00:00.123Z stdout X a",
        "2026-11-24T17:00:00Z stdout F a", "2026-11-24T17:00:00.123Z stdoutF a"}) {
    CHECK_FALSE(parse_log_line(text).has_value());
  }
}

TEST_CASE("a reader goes on where it was and leaves the line that is being written") {
  os::TempDir directory;
  auto path = directory.path() / "log";
  CHECK(LogReader(path).next().empty());
  std::string first = to_string(LogLine{1000, false, false, "one"});
  os::write_file(path, first + "1970-01-01T00:00:02.000Z stdo");
  LogReader reader(path);
  CHECK(reader.next().size() == 1);
  CHECK(reader.offset() == first.size());
  CHECK(reader.next().empty());
  os::write_file(path, first + to_string(LogLine{2000, false, false, "two"}) +
                           to_string(LogLine{3000, true, false, "three"}));
  LogReader again(path, reader.offset());
  CHECK(again.next(1).at(0).text == "two");
  CHECK(again.next().at(0).text == "three");
}

TEST_CASE("the last lines are found without reading the whole log") {
  os::TempDir directory;
  auto path = directory.path() / "log";
  std::string all;
  for (int i = 0; i < 5000; ++i)
    all += to_string(LogLine{i, false, false, fmt::format("line {} {}", i, std::string(50, 'x'))});
  os::write_file(path, all);
  auto last = last_lines(path, 3);
  REQUIRE(last.size() == 3);
  CHECK(last[0].text.starts_with("line 4997 "));
  CHECK(last_lines(path, 10000).size() == 5000);
  CHECK(last_lines(directory.path() / "none", 3).empty());
}
