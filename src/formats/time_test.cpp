// SPDX-License-Identifier: Apache-2.0
#include "formats/time.hpp"

#include <doctest/doctest.h>

using namespace slipway::formats;
using std::chrono::milliseconds;

TEST_CASE("times print in every form and read back") {
  Time time = from_epoch_seconds(784111777.25);
  CHECK(iso8601(time) == "1994-11-06T08:49:37Z");
  CHECK(iso8601_millis(time) == "1994-11-06T08:49:37.250Z");
  CHECK(http_date(time) == "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  CHECK(aws_date(time) == "19941106T084937Z");
  CHECK(epoch_seconds(time) == 784111777.25);
  CHECK(parse_iso8601("1994-11-06T08:49:37.250Z") == time);
  CHECK(parse_iso8601("1994-11-06T08:49:37.2501234Z") == time);
  CHECK(parse_iso8601("1994-11-06T10:49:37.25+02:00") == time);
  CHECK(parse_iso8601("1994-11-06 03:19:37.25-0530") == time);
  Time whole = time - milliseconds(250);
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == whole);
  CHECK(parse_aws_date("19941106T084937Z") == whole);
  CHECK(parse_iso8601("1970-01-01") == Time(milliseconds(0)));
  CHECK(parse_iso8601("2024-02-29T23:59:60Z") == parse_iso8601("2024-03-01T00:00:00Z"));
}

TEST_CASE("what is no time is nothing") {
  for (const std::string text :
       {"", "1994", "1994-13-01", "2023-02-29", "1994-11-06T25:00:00Z", "1994-11-06T08:49:37Zx",
        "1994-11-06T08:49:37.Z", "1994-11-06T08", "x994-11-06"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_iso8601(text));
  }
  for (const std::string text :
       {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Foo 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
  CHECK_FALSE(parse_aws_date("19941106T084937"));
}

TEST_CASE("durations print for people") {
  CHECK(print_duration(milliseconds(12)) == "12 ms");
  CHECK(print_duration(milliseconds(1234)) == "1.2 s");
  CHECK(print_duration(milliseconds(200'000)) == "3 min 20 s");
  CHECK(print_duration(milliseconds(7'500'000)) == "2 h 5 min");
}
