// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/logs/log_store.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::logs {

/// CloudWatch Logs' API over the store.
std::unique_ptr<Service> make_logs(State& state, LogStore& store);

}  // namespace slipway::cloud::logs
