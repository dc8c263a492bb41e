// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloudwatch/alarms.hpp"

#include <doctest/doctest.h>

namespace slipway::cloud::cloudwatch {
namespace {

constexpr std::int64_t kNow = 1'764'000'030'000;  // half a minute into a period

Json alarm_of(int periods, int wanted, const char* missing = "missing") {
  return Json::object({{"Period", 60},
                       {"EvaluationPeriods", periods},
                       {"DatapointsToAlarm", wanted},
                       {"Statistic", "Sum"},
                       {"Threshold", 5.0},
                       {"ComparisonOperator", "GreaterThanThreshold"},
                       {"TreatMissingData", missing}});
}

// Values of the last whole periods, the newest first; -1: none.
std::string state_of(const Json& alarm, const std::vector<double>& newest_first) {
  std::vector<Datum> data;
  for (std::size_t i = newest_first.size(); i-- > 0;) {
    if (newest_first[i] < 0) continue;
    auto at = kNow / 60'000 * 60'000 - static_cast<std::int64_t>(i + 1) * 60'000;
    data.push_back(datum_of(newest_first[i], at));
  }
  return evaluate(alarm, data, kNow).state;
}

TEST_CASE("an alarm looks at its whole periods: M of N of them have to breach") {
  CHECK(state_of(alarm_of(1, 1), {6}) == "ALARM");
  CHECK(state_of(alarm_of(1, 1), {5}) == "OK");
  CHECK(state_of(alarm_of(1, 1), {4, 9}) == "OK");
  CHECK(state_of(alarm_of(3, 2), {6, 0, 6}) == "ALARM");
  CHECK(state_of(alarm_of(3, 2), {6, 0, 0}) == "OK");
  auto now = evaluate(alarm_of(1, 1), {datum_of(9, kNow - 1000)}, kNow);
  CHECK(now.state == "INSUFFICIENT_DATA");  // this period is not over
}

TEST_CASE("missing periods are treated as the alarm says") {
  CHECK(state_of(alarm_of(2, 2), {-1, -1}) == "INSUFFICIENT_DATA");
  CHECK(state_of(alarm_of(2, 2, "ignore"), {-1, -1}).empty());
  CHECK(state_of(alarm_of(2, 2, "breaching"), {-1, -1}) == "ALARM");
  CHECK(state_of(alarm_of(2, 2, "notBreaching"), {-1, -1}) == "OK");
  CHECK(state_of(alarm_of(2, 2, "breaching"), {9, -1}) == "ALARM");
  CHECK(state_of(alarm_of(2, 2), {9, -1}) == "OK");
}

TEST_CASE("the reason names the values and the threshold") {
  auto result = evaluate(alarm_of(1, 1), {datum_of(6, kNow / 60'000 * 60'000 - 60'000)}, kNow);
  CHECK(result.reason ==
        "Threshold Crossed: 1 datapoint [6.0] was greater than the threshold (5.0) (minimum 1 "
        "datapoint for OK -> ALARM transition).");
}

}  // namespace
}  // namespace slipway::cloud::cloudwatch
