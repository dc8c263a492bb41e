// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "cloud/s3/door.hpp"

using namespace slipway;
using namespace slipway::cloud;

namespace {

std::string unchunked(std::string_view text) {
  formats::MemoryReader body(text);
  auto reader = s3::chunked_body(body);
  std::string out;
  std::string buffer(3, '\0');
  while (std::size_t got = reader->read(buffer)) out.append(buffer, 0, got);
  return out;
}

}  // namespace

TEST_CASE("an aws-chunked body is its chunks' bytes, whatever stands behind them") {
  CHECK(unchunked("5\r\nhello\r\n0\r\n\r\n") == "hello");
  CHECK(unchunked("5;chunk-signature=ab\r\nhello\r\n6\r\n "
                  "world\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n") == "hello world");
  CHECK(unchunked("0\r\n\r\n").empty());
  for (const char* bad :
       {"", "5\r\nhel", "5\r\nhelloX\r\n", "x\r\n", "ffffffffffffffffff\r\n", "\r\n"})
    CHECK_THROWS_AS(unchunked(bad), Error);
}

TEST_CASE("bucket and key are found in the path or in the host's name") {
  using Place = std::pair<std::string, std::string>;
  CHECK(s3::place_of("127.0.0.1:4566", "/b/a%20b/c") == Place{"b", "a b/c"});
  CHECK(s3::place_of("s3.us-east-1.amazonaws.com", "/b") == Place{"b", ""});
  CHECK(s3::place_of("b.s3.us-east-1.amazonaws.com", "/k") == Place{"b", "k"});
  CHECK(s3::place_of("my.b.s3.amazonaws.com", "/") == Place{"my.b", ""});
  CHECK(s3::place_of("127.0.0.1", "/") == Place{"", ""});
}
