// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "cloud/s3/checksum.hpp"
#include "cloud/s3/door.hpp"
#include "cloud/service.hpp"

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

namespace {

// The example of the S3 API reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
const SignatureClaim kClaim{
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .date = "20130524",
    .region = "us-east-1",
    .service = "s3",
    .signed_headers = {},
    .signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    .amz_date = "20130524T000000Z",
    .session_token = ""};
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

std::string example(const std::string& first = std::string(65536, 'a')) {
  return "10000;chunk-signature="
         "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
         first +
         "\r\n400;chunk-signature="
         "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
         std::string(1024, 'a') +
         "\r\n0;chunk-signature="
         "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
}

std::size_t signed_size(std::string_view text) {
  formats::MemoryReader body(text);
  ChunkSignatures signatures(kClaim, kSecret);
  auto reader = s3::chunked_body(body, &signatures);
  std::string buffer(10'000, '\0');
  std::size_t all = 0;
  while (std::size_t got = reader->read(buffer)) all += got;
  return all;
}

}  // namespace

TEST_CASE("each chunk of a signed body signs the one before it") {
  CHECK(signed_size(example()) == 66'560);
  std::string other(65536, 'a');
  other[7] = 'b';
  CHECK_THROWS_AS(signed_size(example(other)), Refusal);
  std::string left_out = example();
  left_out.erase(left_out.find("400;"), 20 + 64 + 2 + 1024 + 2);
  CHECK_THROWS_AS(signed_size(left_out), Refusal);
  CHECK_THROWS_AS(signed_size("5\r\nhello\r\n0\r\n\r\n"), Refusal);
}

TEST_CASE("trailers stand behind the last chunk") {
  formats::MemoryReader body(
      std::string_view("5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32: NhCmhg== \r\n\r\n"));
  std::map<std::string, std::string> trailers;
  auto reader = s3::chunked_body(body, nullptr, &trailers);
  std::string buffer(100, '\0');
  while (reader->read(buffer) > 0) {
  }
  CHECK(trailers == std::map<std::string, std::string>{{"x-amz-checksum-crc32", "NhCmhg=="}});
}

TEST_CASE("checksums are those of their names") {
  for (const auto& [name, sum] : std::map<std::string, std::string>{
           {"x-amz-checksum-crc32", "y/Q5Jg=="},
           {"x-amz-checksum-crc32c", "4waSgw=="},
           {"x-amz-checksum-crc64nvme", "rosUhgp5mIg="},
           {"x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="},
           {"x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="}}) {
    auto checksum = s3::make_checksum(name);
    REQUIRE(checksum);
    checksum->update("12345");
    checksum->update("6789");
    std::string got = checksum->base64();
    INFO(got);
    CHECK(got == sum);
  }
  CHECK_FALSE(s3::make_checksum("x-amz-checksum-mode"));
}
