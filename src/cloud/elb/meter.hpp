// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/cloudwatch/metrics.hpp"
#include "cloud/elb/model.hpp"

namespace slipway::cloud::elb {

/// What HAProxy has counted for a backend since it started.
struct BackendCount {
  double requests = 0;
  std::map<std::string, double> answers;  ///< "2XX", "3XX", "4XX", "5XX"
  double answer_ms = 0;                   ///< average of the last requests
  bool operator==(const BackendCount&) const = default;
};

/// By backend name, from HAProxy's `show stat` (CSV). Lines that are none are left out.
std::map<std::string, BackendCount> read_counts(std::string_view csv);

/// Turns counts into the metrics of AWS/ApplicationELB.
class Meter final {
 public:
  struct Reading {
    Scope scope;
    cloudwatch::MetricName metric;
    cloudwatch::Datum datum;
  };
  /// What was new since the last call; a count that fell began anew (HAProxy was reloaded).
  std::vector<Reading> read(const Model& model, const std::map<std::string, BackendCount>& counts,
                            std::int64_t now_ms);

 private:
  std::map<std::string, BackendCount> last_;
};

}  // namespace slipway::cloud::elb
