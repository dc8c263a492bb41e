// SPDX-License-Identifier: Apache-2.0
#include "formats/io.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"
#include "formats/sha256.hpp"

using namespace slipway;
using namespace slipway::formats;

TEST_CASE("copying moves everything, and hashing readers and writers see the same bytes") {
  std::string text(1'000'000, 'x');
  MemoryReader memory(text);
  HashingReader source(memory);
  StringWriter kept;
  HashingWriter sink(kept);
  CHECK(copy_all(source, sink) == text.size());
  CHECK(kept.text() == text);
  CHECK(source.hex() == sha256_hex(text));
  CHECK(sink.hex() == source.hex());
  CHECK(sink.count() == text.size());
}

TEST_CASE("read_all refuses more than its limit") {
  MemoryReader fits("12345");
  CHECK(read_all(fits, 5) == "12345");
  MemoryReader more("123456");
  CHECK_THROWS_WITH(read_all(more, 5), "more than 5 bytes");
}

TEST_CASE("a file range is read without moving the descriptor, and a short file is an error") {
  std::string name = "/tmp/slipway-io-XXXXXX";
  int fd = ::mkstemp(name.data());
  REQUIRE(fd >= 0);
  FdWriter(fd).write("0123456789");
  FileRangeReader middle(fd, 3, 4);
  CHECK(read_all(middle) == "3456");
  FileRangeReader beyond(fd, 8, 4);
  CHECK_THROWS_AS(read_all(beyond), Error);
  ::close(fd);
  ::unlink(name.c_str());
}

TEST_CASE("SHA-256 and HMAC give the published values") {
  CHECK(sha256_hex("") ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");  // FIPS 180-4
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.update("a");
  Sha256 copy = pieces;
  pieces.update("bc");
  CHECK(pieces.hex() == sha256_hex("abc"));
  CHECK(pieces.digest().size() == 32);
  CHECK(copy.hex() == sha256_hex("a"));
  std::string mac = hmac_sha256("Jefe", "what do ya want for nothing?");  // RFC 4231, 4.3
  CHECK(mac.substr(0, 4) == "\x5b\xdc\xc1\x46");
  CHECK(equals_in_constant_time("same", "same"));
  CHECK_FALSE(equals_in_constant_time("same", "sama"));
  CHECK_FALSE(equals_in_constant_time("same", "sam"));
}
