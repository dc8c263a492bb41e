// SPDX-License-Identifier: Apache-2.0
#include "cloud/protocol.hpp"

#include <doctest/doctest.h>

using namespace slipway::cloud;

TEST_CASE("lists, maps and structures of a query request are told by their form") {
  auto members = decode_query(
      "Action=X&Version=1&Name=a%20b+c&Tags.member.2.Key=k2&Tags.member.1.Key=k1&Tags.member.1."
      "Value=v1&Map.entry.1.key=a&Map.entry.1.value=1&Deep.Inner.Leaf=x");
  CHECK(members ==
        Json::object({{"Name", "a b c"},
                      {"Tags", Json::array({Json::object({{"Key", "k1"}, {"Value", "v1"}}),
                                            Json::object({{"Key", "k2"}})})},
                      {"Map", Json::object({{"a", "1"}})},
                      {"Deep", Json::object({{"Inner", Json::object({{"Leaf", "x"}})}})}}));
}

TEST_CASE("ec2 lists are numbers alone") {
  auto members =
      decode_query("Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b&SubnetId.1=s");
  CHECK(members.at("SubnetId") == Json::array({"s"}));
  CHECK(members.at("Filter") ==
        Json::array({Json::object({{"Name", "vpc-id"}, {"Value", Json::array({"a", "b"})}})}));
}

TEST_CASE("a form that is none is refused") {
  CHECK_THROWS_AS(decode_query("A=%zz"), Refusal);
  CHECK_THROWS_AS(decode_query("A=%4"), Refusal);
  CHECK_THROWS_AS(decode_query("A..B=1"), Refusal);
  CHECK_THROWS_AS(decode_query("M.entry.1.value=1"), Refusal);
}

TEST_CASE("answers are written as each protocol has them") {
  ServiceDescription about{.signing_name = "s",
                           .target_prefix = "",
                           .api_version = "",
                           .xml_namespace = "urn:x",
                           .protocol = Protocol::query,
                           .host_prefixes = {},
                           .action_prefix = ""};
  Call call;
  call.operation = "Op";
  call.request_id = "id";
  Json output =
      Json::object({{"A", Json::array({"x", "y"})},
                    {"B", true},
                    {"C", Json::object({{"*Item", Json::array({Json::object({{"D", 1}})})}})}});
  CHECK(encode_answer(about, call, output) ==
        "<OpResponse "
        "xmlns=\"urn:x\"><OpResult><A><member>x</member><member>y</member></A><B>true</"
        "B><C><Item><D>1</D></Item></C></OpResult>"
        "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></OpResponse>");
  about.protocol = Protocol::ec2;
  CHECK(encode_answer(about, call, Json::object({{"set", Json::array({"x"})}}))
            .ends_with(
                "<OpResponse "
                "xmlns=\"urn:x\"><requestId>id</requestId><set><item>x</item></set></OpResponse>"));
  about.protocol = Protocol::json_1_1;
  CHECK(encode_answer(about, call, Json()) == "{}");
}

TEST_CASE("errors carry code and message in every protocol") {
  Refusal refusal("Bad", "a < b", 400);
  CHECK(encode_error(Protocol::json_1_1, "", refusal, "id") ==
        R"({"__type":"Bad","message":"a < b","Message":"a < b"})");
  CHECK(encode_error(Protocol::query, "urn:x", refusal, "id") ==
        "<ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>Bad</Code><Message>a &lt; "
        "b</Message></Error><RequestId>id</RequestId></ErrorResponse>");
  CHECK(encode_error(Protocol::ec2, "", refusal, "id").find("<Errors><Error><Code>Bad</Code>") !=
        std::string::npos);
}

TEST_CASE("percent-encoding keeps what RFC 3986 leaves unreserved") {
  CHECK(percent_encode("a b/~é") == "a%20b%2F~%C3%A9");
  CHECK(percent_encode("a/b", true) == "a/b");
  CHECK(percent_decode("a+b%20c", false) == "a+b c");
  CHECK_FALSE(percent_decode("%g0", false).has_value());
}
