// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloudwatch/alarms.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::cloudwatch {

/// CloudWatch's API over metrics and alarms: values, statistics, metric alarms and their history. Actions of alarms are kept, nothing is
/// sent by them; composite alarms, metric math and anomaly detection are refused.
std::unique_ptr<Service> make_cloudwatch(Metrics& metrics, Alarms& alarms);

}  // namespace slipway::cloud::cloudwatch
