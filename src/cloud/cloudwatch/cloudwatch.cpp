// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloudwatch/cloudwatch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::cloudwatch {
namespace {

constexpr std::string_view kBad = "InvalidParameterValue";
constexpr std::size_t kMostPoints = 1440;

// A number of a member: from a query request it is a string.
std::optional<double> number_in(const Json& value) {
  if (value.is_number()) return value.as_number();
  if (!value.is_string()) return std::nullopt;
  char* end = nullptr;
  double number = std::strtod(value.as_string().c_str(), &end);
  if (value.as_string().empty() || *end != '\0') return std::nullopt;
  return number;
}

double number_or(const Json& object, std::string_view key, double otherwise) {
  const Json* value = object.find(key);
  return value ? number_in(*value).value_or(otherwise) : otherwise;
}

// A time in milliseconds: epoch seconds, or ISO 8601 in a query request.
std::int64_t time_or(const Json& object, std::string_view key, std::int64_t otherwise) {
  const Json* value = object.find(key);
  if (value == nullptr || value->is_null()) return otherwise;
  if (auto number = number_in(*value)) return static_cast<std::int64_t>(*number * 1000);
  auto time = value->is_string() ? formats::parse_iso8601(value->as_string()) : std::nullopt;
  if (!time) refuse(std::string(kBad), fmt::format("The parameter {} is not a time.", key));
  return time->time_since_epoch().count();
}

std::int64_t now_of(const Call& call) { return call.now.time_since_epoch().count(); }

[[noreturn]] void refuse_missing(std::string_view key) {
  refuse("MissingParameter", fmt::format("The parameter {} is required.", key));
}

std::string needed(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_string() || value->as_string().empty()) refuse_missing(key);
  return value->as_string();
}

class CloudWatch final : public Service {
 public:
  CloudWatch(Metrics& metrics, Alarms& alarms) : metrics_(metrics), alarms_(alarms) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "monitoring",
        .target_prefix = "GraniteServiceVersion20100801",
        .api_version = "2010-08-01",
        .xml_namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/",
        .protocol = Protocol::query,
        .host_prefixes = {"monitoring"},
        .action_prefix = "cloudwatch"};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override {
    std::vector<std::string> names = Input(call.input, kBad).texts("AlarmNames");
    if (call.input.contains("AlarmName")) names.push_back(call.input.get_string("AlarmName"));
    std::vector<Permission> out;
    for (const auto& name : names)
      out.push_back({"cloudwatch:" + call.operation, alarm_arn(call, name), {}});
    if (out.empty()) out.push_back({"cloudwatch:" + call.operation, "*", {}});
    return out;
  }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }
  void run(std::stop_token stop) override {
    metrics_.expire(formats::now().time_since_epoch().count());
    alarms_.run(stop);
  }

 private:
  static const Operations<CloudWatch>& operations() {
    static const Operations<CloudWatch> kOperations = {
        {"DeleteAlarms", &CloudWatch::delete_alarms},
        {"DescribeAlarmHistory", &CloudWatch::describe_alarm_history},
        {"DescribeAlarms", &CloudWatch::describe_alarms},
        {"DescribeAlarmsForMetric", &CloudWatch::describe_alarms_for_metric},
        {"DisableAlarmActions", &CloudWatch::enable_alarm_actions},
        {"EnableAlarmActions", &CloudWatch::enable_alarm_actions},
        {"GetMetricData", &CloudWatch::get_metric_data},
        {"GetMetricStatistics", &CloudWatch::get_metric_statistics},
        {"ListMetrics", &CloudWatch::list_metrics},
        {"PutMetricAlarm", &CloudWatch::put_metric_alarm},
        {"PutMetricData", &CloudWatch::put_metric_data},
        {"SetAlarmState", &CloudWatch::set_alarm_state},
    };
    return kOperations;
  }
  static std::string alarm_arn(const Call& call, const std::string& name) {
    return arn("cloudwatch", call.region, call.account, "alarm:" + name);
  }
  static MetricName metric_in(const Json& json, const std::string& in_namespace) {
    MetricName metric{in_namespace, needed(json, "MetricName"), {}};
    for (const auto& dimension : Input(json, kBad).items("Dimensions"))
      metric.dimensions.emplace_back(needed(dimension, "Name"), needed(dimension, "Value"));
    std::sort(metric.dimensions.begin(), metric.dimensions.end());
    return metric;
  }

  Json put_metric_data(const Call& call) {
    Input in(call.input, kBad);
    std::string where = needed(call.input, "Namespace");
    if (where.starts_with("AWS/"))
      refuse(std::string(kBad), "The value AWS/ for parameter Namespace is invalid.");
    auto items = in.items("MetricData");
    if (items.empty()) refuse_missing("MetricData");
    for (const auto& item : items) {
      auto at = time_or(item, "Timestamp", now_of(call));
      std::string unit = item.get_string("Unit", "None");
      std::vector<Datum> data;
      if (const Json* value = item.find("Value")) {
        auto number = number_in(*value);
        if (!number || !std::isfinite(*number))
          refuse(std::string(kBad), "The parameter MetricData.member.1.Value must be a number.");
        data.push_back(datum_of(*number, at, unit));
      } else if (const Json* set = item.find("StatisticValues")) {
        data.push_back({.at_ms = at,
                        .sum = number_or(*set, "Sum", 0),
                        .least = number_or(*set, "Minimum", 0),
                        .most = number_or(*set, "Maximum", 0),
                        .count = number_or(*set, "SampleCount", 0),
                        .unit = unit});
      } else {
        auto counts = Input(item, kBad).items("Counts");
        auto values = Input(item, kBad).items("Values");
        if (values.empty()) refuse_missing("MetricData.member.1.Value");
        for (std::size_t i = 0; i < values.size(); ++i) {
          double value_i = number_in(values[i]).value_or(0);
          double count = i < counts.size() ? number_in(counts[i]).value_or(1) : 1;
          data.push_back({.at_ms = at,
                          .sum = value_i * count,
                          .least = value_i,
                          .most = value_i,
                          .count = count,
                          .unit = unit});
        }
      }
      metrics_.put(scope_of(call), metric_in(item, where), data);
    }
    return Json::object();
  }

  Json list_metrics(const Call& call) {
    Input in(call.input, kBad);
    std::string name = in.text_or("MetricName");
    auto filters = in.items("Dimensions");
    Json out = Json::array();
    for (const auto& metric : metrics_.list(scope_of(call), in.text_or("Namespace"))) {
      bool fits = name.empty() || metric.name == name;
      for (const auto& filter : filters) {
        std::string wanted = filter.get_string("Value");
        fits = fits && std::any_of(metric.dimensions.begin(), metric.dimensions.end(),
                                   [&](const auto& dimension) {
                                     return dimension.first == filter.get_string("Name") &&
                                            (wanted.empty() || dimension.second == wanted);
                                   });
      }
      if (fits)
        out.push_back(Json::object({{"Namespace", metric.metric_namespace},
                                    {"MetricName", metric.name},
                                    {"Dimensions", dimensions_json(metric)}}));
    }
    return Json::object({{"Metrics", out}});
  }
  static Json dimensions_json(const MetricName& metric) {
    Json out = Json::array();
    for (const auto& [name, value] : metric.dimensions)
      out.push_back(Json::object({{"Name", name}, {"Value", value}}));
    return out;
  }

  static std::int64_t period_in(const Json& json) {
    auto seconds = static_cast<std::int64_t>(number_or(json, "Period", 0));
    bool is_good = seconds == 1 || seconds == 5 || seconds == 10 || seconds == 20 ||
                   seconds == 30 || (seconds > 0 && seconds % 60 == 0);
    if (!is_good)
      refuse(std::string(kBad),
             "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
    return seconds * 1000;
  }

  Json get_metric_statistics(const Call& call) {
    Input in(call.input, kBad);
    auto metric = metric_in(call.input, needed(call.input, "Namespace"));
    for (const char* key : {"StartTime", "EndTime", "Period"}) {
      if (!call.input.contains(key)) refuse_missing(key);
    }
    auto from = time_or(call.input, "StartTime", 0), to = time_or(call.input, "EndTime", 0);
    auto period = period_in(call.input);
    auto statistics = in.texts("Statistics");
    if (statistics.empty() && in.texts("ExtendedStatistics").empty())
      refuse("InvalidParameterCombination",
             "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
    if (from >= to)
      refuse(std::string("InvalidParameterCombination"),
             "The parameter StartTime must be less than the parameter EndTime.");
    if (static_cast<std::size_t>((to - from) / period) > kMostPoints)
      refuse("InvalidParameterCombination",
             fmt::format("You have requested up to {} datapoints, which exceeds the limit of {}.",
                         (to - from) / period, kMostPoints));
    Json points = Json::array();
    for (const auto& datum : metrics_.read(scope_of(call), metric, from, to, period)) {
      Json point =
          Json::object({{"Timestamp", time_json(call, datum.at_ms)}, {"Unit", datum.unit}});
      for (const auto& statistic : statistics) point[statistic] = datum.statistic(statistic);
      points.push_back(point);
    }
    return Json::object({{"Label", metric.name}, {"Datapoints", points}});
  }

  // Times: numbers, ISO 8601 in a query answer.
  static Json time_json(const Call& call, std::int64_t at_ms) {
    if (call.is_query) return formats::iso8601(Time(std::chrono::milliseconds(at_ms)));
    return static_cast<double>(at_ms) / 1000.0;
  }

  Json get_metric_data(const Call& call) {
    Input in(call.input, kBad);
    for (const char* key : {"StartTime", "EndTime", "MetricDataQueries"}) {
      if (!call.input.contains(key)) refuse_missing(key);
    }
    auto from = time_or(call.input, "StartTime", 0), to = time_or(call.input, "EndTime", 0);
    bool ascending = in.text_or("ScanBy", "TimestampDescending") == "TimestampAscending";
    Json results = Json::array();
    for (const auto& query : in.items("MetricDataQueries")) {
      const Json* stat = query.find("MetricStat");
      if (stat == nullptr)
        refuse("ValidationError", "slipway: metric math ('Expression') is not supported yet");
      auto metric = metric_in(stat->at("Metric"), needed(stat->at("Metric"), "Namespace"));
      auto data = metrics_.read(scope_of(call), metric, from, to, period_in(*stat));
      if (!ascending) std::reverse(data.begin(), data.end());
      Json times = Json::array(), values = Json::array();
      for (const auto& datum : data) {
        times.push_back(time_json(call, datum.at_ms));
        values.push_back(datum.statistic(needed(*stat, "Stat")));
      }
      results.push_back(Json::object({{"Id", needed(query, "Id")},
                                      {"Label", query.get_string("Label", metric.name)},
                                      {"Timestamps", times},
                                      {"Values", values},
                                      {"StatusCode", "Complete"}}));
    }
    return Json::object({{"MetricDataResults", results}, {"Messages", Json::array()}});
  }

  Json put_metric_alarm(const Call& call) {
    Input in(call.input, kBad);
    const Json& given = call.input;
    std::string name = needed(given, "AlarmName");
    for (const char* key :
         {"Metrics", "ExtendedStatistic", "ThresholdMetricId", "EvaluationCriteria"}) {
      if (given.contains(key))
        refuse("ValidationError",
               fmt::format("slipway: alarms with '{}' are not supported yet", key));
    }
    for (const char* key : {"MetricName", "Namespace", "Statistic", "ComparisonOperator"})
      static_cast<void>(needed(given, key));
    for (const char* key : {"Period", "EvaluationPeriods", "Threshold"}) {
      if (!given.contains(key)) refuse_missing(key);
    }
    auto period = period_in(given) / 1000;
    auto periods = in.integer_or("EvaluationPeriods", 1);
    auto wanted = in.integer_or("DatapointsToAlarm", periods);
    if (periods < 1 || wanted < 1 || wanted > periods)
      refuse("ValidationError",
             "DatapointsToAlarm must be from 1 to the number of EvaluationPeriods");
    if (period * periods > 86'400)
      refuse("ValidationError",
             "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be "
             "<= 86400).");
    Json alarm = Json::object({{"AlarmName", name},
                               {"AlarmArn", alarm_arn(call, name)},
                               {"ActionsEnabled", in.boolean_or("ActionsEnabled", true)},
                               {"MetricName", given.at("MetricName")},
                               {"Namespace", given.at("Namespace")},
                               {"Statistic", given.at("Statistic")},
                               {"Dimensions", dimensions_json(metric_in(given, ""))},
                               {"Period", period},
                               {"EvaluationPeriods", periods},
                               {"Threshold", number_or(given, "Threshold", 0)},
                               {"ComparisonOperator", given.at("ComparisonOperator")}});
    if (given.contains("DatapointsToAlarm")) alarm["DatapointsToAlarm"] = wanted;
    for (const char* key : {"AlarmDescription", "TreatMissingData", "Unit"}) {
      if (given.contains(key)) alarm[key] = given.at(key);
    }
    for (const char* key : {"OKActions", "AlarmActions", "InsufficientDataActions"}) {
      alarm[key] = Json::array();
      for (const auto& action : in.texts(key)) alarm[key].push_back(action);
    }
    alarms_.put(scope_of(call), name, std::move(alarm), now_of(call));
    return Json::object();
  }

  // As DescribeAlarms shows it.
  static Json shown(const Call& call, Json alarm) {
    alarm.erase("evaluated");
    for (const char* key : {"AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp",
                            "StateTransitionedTimestamp"}) {
      if (alarm.contains(key))
        alarm[key] = time_json(call, static_cast<std::int64_t>(alarm.get_number(key) * 1000));
    }
    return alarm;
  }

  Json describe_alarms(const Call& call) {
    Input in(call.input, kBad);
    auto names = in.texts("AlarmNames");
    auto types = in.texts("AlarmTypes");
    std::string state = in.text_or("StateValue");
    std::string action = in.text_or("ActionPrefix");
    auto size = in.page_size("MaxRecords", 50, 100);
    std::string after;
    if (auto token = in.optional_text("NextToken")) {
      auto position = read_page_token(*token);
      if (!position) refuse("InvalidNextToken", "Invalid token");
      after = *position;
    }
    bool has_metric =
        types.empty() || std::find(types.begin(), types.end(), "MetricAlarm") != types.end();
    Json out = Json::object({{"MetricAlarms", Json::array()}, {"CompositeAlarms", Json::array()}});
    if (!has_metric) return out;
    for (const auto& alarm : alarms_.list(scope_of(call), in.text_or("AlarmNamePrefix"))) {
      std::string name = alarm.get_string("AlarmName");
      if (name <= after && !after.empty()) continue;
      if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
      if (!state.empty() && alarm.get_string("StateValue") != state) continue;
      if (!action.empty() && !has_action(alarm, action)) continue;
      if (out.at("MetricAlarms").size() == size) {
        out["NextToken"] =
            page_token(out.at("MetricAlarms").as_array().back().get_string("AlarmName"));
        break;
      }
      out["MetricAlarms"].push_back(shown(call, alarm));
    }
    return out;
  }
  static bool has_action(const Json& alarm, const std::string& prefix) {
    for (const char* key : {"OKActions", "AlarmActions", "InsufficientDataActions"}) {
      for (const auto& action : alarm.get_array(key)) {
        if (action.as_string().starts_with(prefix)) return true;
      }
    }
    return false;
  }

  Json describe_alarms_for_metric(const Call& call) {
    auto metric = metric_in(call.input, needed(call.input, "Namespace"));
    Json list = Json::array();
    for (const auto& alarm : alarms_.list(scope_of(call), "")) {
      if (metric_of(alarm) == metric) list.push_back(shown(call, alarm));
    }
    return Json::object({{"MetricAlarms", list}});
  }

  Json describe_alarm_history(const Call& call) {
    Input in(call.input, kBad);
    auto most = in.page_size("MaxRecords", 100, 100);
    Json list = Json::array();
    for (const auto& alarm : alarms_.list(scope_of(call), "")) {
      std::string name = alarm.get_string("AlarmName");
      if (in.has("AlarmName") && in.text("AlarmName") != name) continue;
      for (auto item : alarms_.history(scope_of(call), name)) {
        item["Timestamp"] =
            time_json(call, static_cast<std::int64_t>(item.get_number("Timestamp") * 1000));
        if (list.size() < most) list.push_back(std::move(item));
      }
    }
    return Json::object({{"AlarmHistoryItems", list}});
  }

  Json delete_alarms(const Call& call) {
    auto names = Input(call.input, kBad).texts("AlarmNames");
    for (const auto& name : names) {
      if (!alarms_.get(scope_of(call), name))
        throw Refusal("ResourceNotFound", fmt::format("Alarm [{}] does not exist", name), 404);
    }
    for (const auto& name : names) alarms_.erase(scope_of(call), name);
    return Json::object();
  }

  Json enable_alarm_actions(const Call& call) {
    for (const auto& name : Input(call.input, kBad).texts("AlarmNames")) {
      auto alarm = alarms_.get(scope_of(call), name);
      if (!alarm) continue;
      (*alarm)["ActionsEnabled"] = call.operation == "EnableAlarmActions";
      alarms_.put(scope_of(call), name, *alarm, now_of(call));
    }
    return Json::object();
  }

  Json set_alarm_state(const Call& call) {
    Input in(call.input, kBad);
    std::string name = needed(call.input, "AlarmName");
    if (!alarms_.set_state(scope_of(call), name, needed(call.input, "StateValue"),
                           in.text_or("StateReason"), now_of(call)))
      throw Refusal("ResourceNotFound", "", 404);
    return Json::object();
  }

  Metrics& metrics_;
  Alarms& alarms_;
};

}  // namespace

std::unique_ptr<Service> make_cloudwatch(Metrics& metrics, Alarms& alarms) {
  return std::make_unique<CloudWatch>(metrics, alarms);
}

}  // namespace slipway::cloud::cloudwatch
