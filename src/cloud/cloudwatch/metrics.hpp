// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cloud/state.hpp"

namespace slipway::cloud::cloudwatch {

/// What a metric is known by.
struct MetricName {
  std::string metric_namespace;  ///< "AWS/ECS"
  std::string name;
  std::vector<std::pair<std::string, std::string>> dimensions;  ///< sorted by name
  bool operator==(const MetricName&) const = default;
};

/// Values that came together, as a statistic set.
struct Datum {
  std::int64_t at_ms = 0;
  double sum = 0;
  double least = 0;
  double most = 0;
  double count = 0;
  std::string unit = "None";

  /// "Average", "Sum", "Minimum", "Maximum" or "SampleCount" of it.
  [[nodiscard]] double statistic(const std::string& name) const;
  void add(const Datum& other);
};
/// One value.
Datum datum_of(double value, std::int64_t at_ms, const std::string& unit = "None");

/// The metrics' values, for 15 days.
///   threads  any
class Metrics final {
 public:
  explicit Metrics(State& state);
  void put(const Scope& scope, const MetricName& metric, const std::vector<Datum>& data);
  /// Periods [from, to) of `period_ms`, only those with values; `at_ms` is a period's beginning.
  [[nodiscard]] std::vector<Datum> read(const Scope& scope, const MetricName& metric,
                                        std::int64_t from_ms, std::int64_t to_ms,
                                        std::int64_t period_ms);
  /// All known metrics of a namespace (empty: of all), in order.
  [[nodiscard]] std::vector<MetricName> list(const Scope& scope, const std::string& in_namespace);
  void expire(std::int64_t now_ms);

 private:
  State& state_;
};

}  // namespace slipway::cloud::cloudwatch
