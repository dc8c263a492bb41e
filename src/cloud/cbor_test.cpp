// SPDX-License-Identifier: Apache-2.0
#include "cloud/cbor.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::cloud {
namespace {

using formats::Json;

Json parsed(const char* digits) { return parse_cbor(unhex(digits).value()); }

// The examples of RFC 8949, appendix A.
TEST_CASE("CBOR is read as RFC 8949 says") {
  CHECK(parsed("1bffffffffffffffff").as_number() == 18446744073709551615.0);
  CHECK(parsed("3863") == Json(-100));
  CHECK(parsed("f93e00") == Json(1.5));
  CHECK(parsed("f90001").as_number() == doctest::Approx(5.960464477539063e-8));
  CHECK(parsed("fb3ff199999999999a") == Json(1.1));
  CHECK(parsed("fa47c35000") == Json(100000));
  CHECK(parsed("c11a514b67b0") == Json(1363896240));
  CHECK(parsed("83010203") == Json::array({1, 2, 3}));
  CHECK(parsed("9f018202039f0405ffff") ==
        Json::array({1, Json::array({2, 3}), Json::array({4, 5})}));
  CHECK(parsed("bf61610161629f0203ffff") == Json::object({{"a", 1}, {"b", Json::array({2, 3})}}));
  CHECK(parsed("7f657374726561646d696e67ff") == Json("streaming"));
  CHECK(parsed("f7").is_null());
}

TEST_CASE("CBOR that is cut, endless, nested too deeply or followed by more is refused") {
  for (const char* digits : {"", "19", "62", "83", "9f01", "a1", "a10102", "1c", "0101", "ff"})
    CHECK_THROWS_AS(parsed(digits), Error);
  CHECK_THROWS_AS(parse_cbor(std::string(100, '\x81') + "\x01"), Error);
}

TEST_CASE("what is printed as CBOR is read again; names of times are tagged") {
  Json value = Json::object({{"StateUpdatedTimestamp", 1764000000.5},
                             {"n", -70000},
                             {"list", Json::array({"a", nullptr, true, 0.25})}});
  CHECK(parse_cbor(print_cbor(value)) == value);
  CHECK(hex(print_cbor(Json::object({{"Timestamp", 1}}))) == "a16954696d657374616d70c101");
}

}  // namespace
}  // namespace slipway::cloud
