// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloudwatch/alarms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "formats/time.hpp"

namespace slipway::cloud::cloudwatch {
namespace {

constexpr std::string_view kHistoryKind = "cloudwatch.history";
constexpr std::size_t kHistory = 100;
constexpr std::int64_t kLongestLookMs = 60'000;

std::int64_t period_ms(const Json& alarm) { return alarm.get_int("Period", 60) * 1000; }

std::int64_t wall_ms() { return formats::now().time_since_epoch().count(); }

bool breaches(const std::string& comparison, double value, double threshold) {
  if (comparison == "GreaterThanThreshold") return value > threshold;
  if (comparison == "GreaterThanOrEqualToThreshold") return value >= threshold;
  if (comparison == "LessThanThreshold") return value < threshold;
  return value <= threshold;
}

std::string words_of(const std::string& comparison) {
  static const std::map<std::string, std::string> kWords = {
      {"GreaterThanThreshold", "greater than"},
      {"GreaterThanOrEqualToThreshold", "greater than or equal to"},
      {"LessThanThreshold", "less than"},
      {"LessThanOrEqualToThreshold", "less than or equal to"}};
  auto it = kWords.find(comparison);
  return it == kWords.end() ? "outside of" : it->second;
}

// As CloudWatch prints numbers: a whole one with ".0".
std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string reason_of(const Json& alarm, const std::vector<Datum>& data, std::size_t wanted,
                      bool is_alarm) {
  std::string points;
  for (auto it = data.rbegin(); it != data.rend(); ++it)
    points +=
        (points.empty() ? "" : ", ") + number_text(it->statistic(alarm.get_string("Statistic")));
  return fmt::format(
      "Threshold Crossed: {} datapoint{} [{}] {}{} the threshold ({}) (minimum {} datapoint{} for "
      "{} transition).",
      data.size(), data.size() == 1 ? "" : "s", points,
      data.size() == 1 ? (is_alarm ? "was " : "was not ") : (is_alarm ? "were " : "were not "),
      words_of(alarm.get_string("ComparisonOperator")), number_text(alarm.get_number("Threshold")),
      wanted, wanted == 1 ? "" : "s", is_alarm ? "OK -> ALARM" : "ALARM -> OK");
}

}  // namespace

MetricName metric_of(const Json& alarm) {
  MetricName metric{alarm.get_string("Namespace"), alarm.get_string("MetricName"), {}};
  for (const auto& dimension : alarm.get_array("Dimensions"))
    metric.dimensions.emplace_back(dimension.get_string("Name"), dimension.get_string("Value"));
  std::sort(metric.dimensions.begin(), metric.dimensions.end());
  return metric;
}

Evaluation evaluate(const Json& alarm, const std::vector<Datum>& data, std::int64_t now_ms) {
  auto period = period_ms(alarm);
  auto periods = alarm.get_int("EvaluationPeriods", 1);
  auto wanted = static_cast<std::size_t>(alarm.get_int("DatapointsToAlarm", periods));
  std::string missing = alarm.get_string("TreatMissingData", "missing");
  std::int64_t end = now_ms / period * period;
  std::vector<Datum> present;
  std::size_t breaching = 0;
  for (const auto& datum : data) {
    if (datum.at_ms < end - periods * period || datum.at_ms >= end) continue;
    present.push_back(datum);
    if (breaches(alarm.get_string("ComparisonOperator"),
                 datum.statistic(alarm.get_string("Statistic")), alarm.get_number("Threshold")))
      ++breaching;
  }
  auto absent = static_cast<std::size_t>(periods) - present.size();
  if (missing == "breaching") breaching += absent;
  if (breaching >= wanted) {
    if (!present.empty()) return {"ALARM", reason_of(alarm, present, wanted, true)};
    return {"ALARM", fmt::format("Threshold Crossed: no datapoints were received for {} period{} "
                                 "and {} missing datapoints were treated as [Breaching].",
                                 periods, periods == 1 ? "" : "s", absent)};
  }
  if (present.empty() && missing == "ignore") return {};
  if (present.empty() && missing == "missing") {
    return {"INSUFFICIENT_DATA", fmt::format("Insufficient Data: {} datapoint{} unknown.", periods,
                                             periods == 1 ? " was" : "s were")};
  }
  if (present.empty()) {
    return {"OK", fmt::format("Threshold Crossed: no datapoints were received for {} period{} and "
                              "{} missing datapoints were treated as [NonBreaching].",
                              periods, periods == 1 ? "" : "s", absent)};
  }
  return {"OK", reason_of(alarm, present, static_cast<std::size_t>(periods) - wanted + 1, false)};
}

void Alarms::put(const Scope& scope, const std::string& name, Json alarm, std::int64_t now_ms) {
  double now = static_cast<double>(now_ms) / 1000.0;
  state_.write([&](Tables& tables) {
    auto before = tables.get(kAlarmKind, scope, name);
    alarm["AlarmConfigurationUpdatedTimestamp"] = now;
    for (const char* key : {"StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp",
                            "StateTransitionedTimestamp", "evaluated"}) {
      if (before && before->contains(key)) alarm[key] = before->at(key);
    }
    if (!before) {
      alarm["StateValue"] = "INSUFFICIENT_DATA";
      alarm["StateReason"] = "Unchecked: Initial alarm creation";
      alarm["StateUpdatedTimestamp"] = now;
      alarm["StateTransitionedTimestamp"] = now;
    }
    tables.put(kAlarmKind, scope, name, alarm);
  });
  puts_.with([](std::uint64_t& count) { ++count; });
}

std::optional<Json> Alarms::get(const Scope& scope, const std::string& name) {
  return state_.read([&](Tables& tables) { return tables.get(kAlarmKind, scope, name); });
}

std::vector<Json> Alarms::list(const Scope& scope, const std::string& prefix) {
  return state_.read([&](Tables& tables) {
    std::vector<Json> out;
    for (auto& stored : tables.list(kAlarmKind, scope, prefix)) out.push_back(stored.body);
    return out;
  });
}

bool Alarms::erase(const Scope& scope, const std::string& name) {
  return state_.write([&](Tables& tables) {
    tables.erase(kHistoryKind, scope, name);
    return tables.erase(kAlarmKind, scope, name);
  });
}

bool Alarms::set_state(const Scope& scope, const std::string& name, const std::string& state,
                       const std::string& reason, std::int64_t now_ms) {
  double now = static_cast<double>(now_ms) / 1000.0;
  bool has_changed = false;
  bool is_known = state_.write([&](Tables& tables) {
    auto alarm = tables.get(kAlarmKind, scope, name);
    if (!alarm) return false;
    std::string before = alarm->get_string("StateValue");
    has_changed = before != state;
    (*alarm)["StateValue"] = state;
    (*alarm)["StateReason"] = reason;
    (*alarm)["StateUpdatedTimestamp"] = now;
    if (has_changed) (*alarm)["StateTransitionedTimestamp"] = now;
    (*alarm)["evaluated"] = now_ms;
    tables.put(kAlarmKind, scope, name, *alarm);
    if (!has_changed) return true;
    Json list = tables.get(kHistoryKind, scope, name).value_or(Json::array());
    Json::Array items = {Json::object(
        {{"AlarmName", name},
         {"AlarmType", "MetricAlarm"},
         {"Timestamp", now},
         {"HistoryItemType", "StateUpdate"},
         {"HistorySummary", fmt::format("Alarm updated from {} to {}", before, state)},
         {"HistoryData", Json::object({{"version", "1.0"},
                                       {"oldState", Json::object({{"stateValue", before}})},
                                       {"newState", Json::object({{"stateValue", state},
                                                                  {"stateReason", reason}})}})
                             .dump()}})};
    for (const auto& item : list.as_array()) {
      if (items.size() < kHistory) items.push_back(item);
    }
    tables.put(kHistoryKind, scope, name, Json(std::move(items)));
    return true;
  });
  if (has_changed) tell();
  return is_known;
}

std::vector<Json> Alarms::history(const Scope& scope, const std::string& name) {
  auto list = state_.read([&](Tables& tables) {
    return tables.get(kHistoryKind, scope, name).value_or(Json::array());
  });
  return list.as_array();
}

std::int64_t Alarms::evaluate_all(std::int64_t now_ms) {
  auto all = state_.read([](Tables& tables) { return tables.list_everywhere(kAlarmKind); });
  std::int64_t next = now_ms + kLongestLookMs;
  for (const auto& [scope, stored] : all) {
    const Json& alarm = stored.body;
    auto period = period_ms(alarm);
    std::int64_t end = now_ms / period * period;
    next = std::min(next, end + period);
    if (alarm.get_int("evaluated") >= end) continue;
    auto from = end - alarm.get_int("EvaluationPeriods", 1) * period;
    auto result =
        evaluate(alarm, metrics_.read(scope, metric_of(alarm), from, end, period), now_ms);
    if (result.state.empty() ||
        (result.state == alarm.get_string("StateValue") && result.state == "INSUFFICIENT_DATA"))
      continue;
    set_state(scope, stored.id, result.state, result.reason, now_ms);
  }
  return next;
}

void Alarms::run(const std::stop_token& stop) {
  constexpr std::int64_t kForLateValuesMs = 500;  // after a period's end
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    auto now = wall_ms();
    auto next = evaluate_all(now - kForLateValuesMs) + kForLateValuesMs;
    puts_.wait(
        stop, Deadline::in(std::chrono::milliseconds(std::max<std::int64_t>(next - now, 1))),
        [&](std::uint64_t count) { return count != seen; },
        [&](std::uint64_t count) { seen = count; });
  }
}

}  // namespace slipway::cloud::cloudwatch
