// SPDX-License-Identifier: Apache-2.0
#include "formats/json.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using formats::Json;
using formats::parse_json;

namespace {

std::string refusal(std::string_view text, std::string_view file = "f.json") {
  try {
    parse_json(text, file);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::bad_input);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("JSON is read and printed with its keys in order") {
  std::string text = R"({"b":1,"a":[true,false,null,"x",-2.5],"c":{"d":{}},"e":[]})";
  CHECK(parse_json(text).dump() == text);
}

TEST_CASE("pretty printing indents and leaves empty containers on one line") {
  Json value =
      Json::object({{"a", Json::array({1, "two"})}, {"b", Json::object()}, {"c", Json::array()}});
  CHECK(value.pretty() == "{\n  \"a\": [\n    1,\n    \"two\"\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST_CASE("of a key given twice the last value counts, in the first one's place") {
  CHECK(parse_json(R"({"a":1,"b":2,"a":3,"a":4})").dump() == R"({"a":4,"b":2})");
}

TEST_CASE("numbers: whole ones are exact, the rest are doubles read to the last digit") {
  CHECK(parse_json("9007199254740993").as_int() == 9007199254740993);
  CHECK(parse_json("-9223372036854775808").as_int() == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_json("18446744073709551615").as_number() == 18446744073709551615.0);
  CHECK(parse_json("0.1").dump() == "0.1");
  CHECK(parse_json("1e3").as_int() == 1000);
  CHECK(parse_json("1.5E-7").as_number() == 1.5e-7);
  CHECK(parse_json("1.0").dump() == "1");
  CHECK(parse_json("-0.000").dump() == "0");
  CHECK(Json(1) == Json(1.0));
  CHECK_THROWS_WITH(static_cast<void>(parse_json("1.5").as_int()),
                    "expected a whole number, found 1.5");
}

TEST_CASE("strings: escapes, surrogate pairs, and bytes that are not UTF-8 when printed") {
  CHECK(parse_json(R"("\u00e4\ud83d\ude00\n\"")").as_string() == "ä😀\n\"");
  CHECK(Json("a\"\\\x01\n\x7f"
             "ä😀")
            .dump() == R"("a\"\\\u0001\n\u007fä😀")");
  CHECK(Json("x\xff\xc0\x80y").dump() == "\"x\uFFFD\uFFFD\uFFFDy\"");
  CHECK(Json("\xed\xa0\x80").dump() == "\"\uFFFD\uFFFD\uFFFD\"");
}

TEST_CASE("what is no JSON is refused with line and column") {
  CHECK(refusal("{\n  \"ä\": tru\n}") == "f.json:2:8: not JSON: syntax error");
  CHECK(refusal("[1, 2").find("ends too early") != std::string::npos);
  CHECK(refusal("").find("ends too early") != std::string::npos);
  CHECK(refusal("1 2", "").find("1:3") != std::string::npos);
  CHECK(refusal("{'a':1}") != "accepted");
  CHECK(refusal("[1,]") != "accepted");
  CHECK(refusal("// no\n1") != "accepted");
  CHECK(refusal("\"\xff\"") != "accepted");
  CHECK(refusal(std::string(201, '[') + std::string(201, ']')).find("nested too deep") !=
        std::string::npos);
  CHECK(refusal(std::string(200, '[') + std::string(200, ']')) == "accepted");
  CHECK(refusal(std::string(1'000'000, '[')).find("nested too deep") != std::string::npos);
}

TEST_CASE("reading a value as another kind says what was found") {
  Json value = parse_json(R"({"name": 5, "none": null, "list": [1]})");
  CHECK_THROWS_WITH(static_cast<void>(value.at("x")), "missing 'x'");
  CHECK_THROWS_WITH(static_cast<void>(value.get_string("name")),
                    "'name': expected a string, found a number");
  CHECK(value.get_string("none", "d") == "d");
  CHECK(value.get_string("absent", "d") == "d");
  CHECK(value.get_int("name") == 5);
  CHECK(value.get_array("absent").empty());
  CHECK(value.get_array("list").size() == 1);
  CHECK_THROWS_WITH(static_cast<void>(value.at("list").at(1)), "no item 1 in an array of 1");
}

TEST_CASE("objects and arrays grow out of null, and equal whatever the order of keys") {
  Json value;
  value["a"]["b"] = "x";
  value["c"].push_back(1);
  CHECK(value.dump() == R"({"a":{"b":"x"},"c":[1]})");
  CHECK(value == parse_json(R"({"c":[1],"a":{"b":"x"}})"));
  CHECK_FALSE(value == parse_json(R"({"c":[1,2],"a":{"b":"x"}})"));
  CHECK(value.erase("a"));
  CHECK_FALSE(value.erase("a"));
  CHECK(value.size() == 1);
}
