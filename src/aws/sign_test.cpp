// SPDX-License-Identifier: Apache-2.0
#include "aws/sign.hpp"

#include <doctest/doctest.h>

#include "aws/credentials.hpp"

using namespace slipway::aws;

namespace {

constexpr long long kTime = 1440938160;  // 2015-08-30T12:36:00Z, of AWS's published examples
const Credentials kKeys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

std::string signature(const SignableRequest& request, const std::string& service = "service") {
  for (const auto& [name, value] : sign(request, kKeys, "us-east-1", service, kTime)) {
    if (name == "Authorization") return value.substr(value.find("Signature=") + 10);
  }
  return "";
}

}  // namespace

TEST_CASE("the signatures of AWS's published examples") {
  CHECK(signature({"GET", "/", "", {{"Host", "example.amazonaws.com"}}, ""}) ==
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK(signature(
            {"GET", "/", "Param2=value2&Param1=value1", {{"Host", "example.amazonaws.com"}}, ""}) ==
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  CHECK(signature({"GET",
                   "/",
                   "Action=ListUsers&Version=2010-05-08",
                   {{"Host", "iam.amazonaws.com"},
                    {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                   ""},
                  "iam") == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST_CASE("temporary keys send and sign their session token") {
  auto headers =
      sign({"POST", "/", "", {{"host", "h"}}, "{}"}, {"A", "S", "T"}, "eu-west-1", "ecs", kTime);
  REQUIRE(headers.size() == 3);
  CHECK(headers[1] == std::pair<std::string, std::string>{"X-Amz-Security-Token", "T"});
  CHECK(headers[2].second.find("SignedHeaders=host;x-amz-date;x-amz-security-token") !=
        std::string::npos);
  CHECK(headers[2].second.find("Credential=A/20150830/eu-west-1/ecs/aws4_request") !=
        std::string::npos);
}

TEST_CASE("the configuration comes from the environment first, then from the profile's files") {
  auto config = read_config(
      {{"AWS_PROFILE", "work"}, {"AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1"}},
      "[default]\naws_access_key_id=D\naws_secret_access_key=D\n[work]\naws_access_key_id = W\n"
      "aws_secret_access_key = X\n",
      "[profile work]\nregion = eu-west-1\n");
  CHECK(config.credentials == Credentials{"W", "X", ""});
  CHECK(config.region == "eu-west-1");
  CHECK(endpoint_of(config, "ecs") == "http://127.0.0.1:1");
  CHECK(endpoint_of(config, "sts") == "https://sts.eu-west-1.amazonaws.com");
  CHECK(endpoint_of(config, "ecr") == "https://api.ecr.eu-west-1.amazonaws.com");
  CHECK(endpoint_of(config, "iam") == "https://iam.amazonaws.com");
  auto keys = read_config(
      {{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "S"}, {"AWS_REGION", "r"}});
  CHECK(keys.credentials == Credentials{"A", "S", ""});
  CHECK_THROWS_WITH(endpoint_of(read_config({}), "ecs"), "no AWS region: set AWS_REGION");
}
