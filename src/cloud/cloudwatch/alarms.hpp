// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "cloud/cloudwatch/metrics.hpp"
#include "formats/json.hpp"

namespace slipway::cloud::cloudwatch {

/// The kind under which alarms stand in the tables; the id is the alarm's name, the document what DescribeAlarms shows.
inline constexpr std::string_view kAlarmKind = "cloudwatch.alarm";

/// What an alarm's periods say.
struct Evaluation {
  std::string state;   ///< OK, ALARM, INSUFFICIENT_DATA; empty: it stays as it is
  std::string reason;  ///< in CloudWatch's words
};

/// Evaluates the last EvaluationPeriods whole periods before `now_ms`.
///   alarm   as PutMetricAlarm gives it
///   data    the values of those periods; `at_ms` a period's beginning
///   source  CloudWatch user guide, "Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data"
Evaluation evaluate(const formats::Json& alarm, const std::vector<Datum>& data,
                    std::int64_t now_ms);
/// The metric that an alarm watches.
MetricName metric_of(const formats::Json& alarm);

/// The alarms: kept, evaluated at the end of each of their periods, and told to who waits for them.
///   threads  any
class Alarms final {
 public:
  Alarms(State& state, Metrics& metrics) : state_(state), metrics_(metrics) {}
  /// Called without a lock whenever an alarm's state changes. Set once, before run().
  void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

  /// Creates or replaces; a new one has INSUFFICIENT_DATA, a known one keeps its state.
  void put(const Scope& scope, const std::string& name, formats::Json alarm, std::int64_t now_ms);
  [[nodiscard]] std::optional<formats::Json> get(const Scope& scope, const std::string& name);
  /// By name.
  [[nodiscard]] std::vector<formats::Json> list(const Scope& scope, const std::string& prefix);
  bool erase(const Scope& scope, const std::string& name);
  /// False when there is none. The next period's end decides again.
  bool set_state(const Scope& scope, const std::string& name, const std::string& state,
                 const std::string& reason, std::int64_t now_ms);
  /// What became of an alarm, newest first.
  [[nodiscard]] std::vector<formats::Json> history(const Scope& scope, const std::string& name);
  /// Evaluates until `stop`.
  void run(const std::stop_token& stop);

 private:
  /// Returns when the next period ends.
  std::int64_t evaluate_all(std::int64_t now_ms);
  void tell() const {
    if (listener_) listener_();
  }

  State& state_;
  Metrics& metrics_;
  std::function<void()> listener_;
  Guarded<std::uint64_t> puts_;  ///< counts alarms put: the next look may have to be sooner
};

}  // namespace slipway::cloud::cloudwatch
