// SPDX-License-Identifier: Apache-2.0
#include "cloud/sigv4.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::cloud;

namespace {

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const Time kThen = *formats::parse_aws_date("20150830T123600Z");

net::Headers headers_with(const std::string& signed_headers, const std::string& signature) {
  return {{"Host", "example.amazonaws.com"},
          {"X-Amz-Date", "20150830T123600Z"},
          {"Authorization",
           "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
           "SignedHeaders=" +
               signed_headers + ", Signature=" + signature}};
}

std::optional<SignatureTrouble> check(const SignedRequest& request, Time now = kThen) {
  auto read = read_signature(request);
  if (auto* trouble = std::get_if<SignatureTrouble>(&read)) return *trouble;
  return check_signature(std::get<SignatureClaim>(read), request, kSecret, now);
}

}  // namespace

TEST_CASE("the published example 'get-vanilla' verifies") {
  auto headers = headers_with("host;x-amz-date",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK_FALSE(check({"GET", "/", "", headers, ""}).has_value());
}

TEST_CASE(
    "the published example 'get-vanilla-query-order-key-case' verifies: parameters are sorted") {
  auto headers = headers_with("host;x-amz-date",
                              "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  CHECK_FALSE(check({"GET", "/", "Param2=value2&Param1=value1", headers, ""}).has_value());
}

TEST_CASE("anything that is signed may not be changed") {
  auto headers = headers_with("host;x-amz-date",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  for (const auto& request :
       {SignedRequest{"POST", "/", "", headers, ""}, SignedRequest{"GET", "/x", "", headers, ""},
        SignedRequest{"GET", "/", "a=b", headers, ""},
        SignedRequest{"GET", "/", "", headers, "body"}}) {
    auto trouble = check(request);
    REQUIRE(trouble.has_value());
    CHECK(trouble->kind == SignatureTrouble::Kind::mismatch);
  }
  headers.set("Host", "other.amazonaws.com");
  CHECK(check({"GET", "/", "", headers, ""}).has_value());
}

TEST_CASE("clocks may differ by five minutes and the message says by how much they do") {
  auto headers = headers_with("host;x-amz-date",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  SignedRequest request{"GET", "/", "", headers, ""};
  CHECK_FALSE(check(request, kThen + std::chrono::minutes(5)).has_value());
  CHECK_FALSE(check(request, kThen - std::chrono::minutes(5)).has_value());
  auto late = check(request, kThen + std::chrono::minutes(6));
  REQUIRE(late.has_value());
  CHECK(late->message ==
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z "
        "(20150830T124200Z - 5 min.)");
  auto early = check(request, kThen - std::chrono::minutes(6));
  REQUIRE(early.has_value());
  CHECK(early->message.starts_with(
      "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z"));
}

TEST_CASE("what is missing from an Authorization header is named") {
  net::Headers headers = {
      {"Host", "h"}, {"Authorization", "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request"}};
  auto trouble = check({"GET", "/", "", headers, ""});
  REQUIRE(trouble.has_value());
  CHECK(trouble->kind == SignatureTrouble::Kind::incomplete);
  CHECK(trouble->message.find("'Signature'") != std::string::npos);
  CHECK(trouble->message.find("'SignedHeaders'") != std::string::npos);
  CHECK(trouble->message.find("'X-Amz-Date'") != std::string::npos);
  net::Headers none = {{"Host", "h"}};
  CHECK(check({"GET", "/", "", none, ""})->kind == SignatureTrouble::Kind::missing);
}

TEST_CASE("the scope's date, terminator and the host must fit") {
  auto headers = headers_with("x-amz-date", "00");
  CHECK(check({"GET", "/", "", headers, ""})->message.find("'Host'") != std::string::npos);
  headers = headers_with("host;x-amz-date", "00");
  headers.set("X-Amz-Date", "20150831T000000Z");
  CHECK(check({"GET", "/", "", headers, ""})
            ->message.starts_with("Date in Credential scope does not match"));
  headers.set(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws5_request, SignedHeaders=host, Signature=00");
  CHECK(check({"GET", "/", "", headers, ""})->message.find("terminator") != std::string::npos);
}

TEST_CASE("each protocol has its own code for the same trouble") {
  SignatureTrouble trouble{SignatureTrouble::Kind::mismatch, "x"};
  CHECK(refusal_of(trouble, Protocol::json_1_1).code() == "InvalidSignatureException");
  CHECK(refusal_of(trouble, Protocol::query).code() == "SignatureDoesNotMatch");
  trouble.kind = SignatureTrouble::Kind::unknown_key;
  CHECK(refusal_of(trouble, Protocol::json_1_1).code() == "UnrecognizedClientException");
  CHECK(refusal_of(trouble, Protocol::query).code() == "InvalidClientTokenId");
  CHECK(refusal_of(trouble, Protocol::ec2).code() == "AuthFailure");
}
