// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>

#include "cloud/logs/log_store.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::logs {

/// logs:StartLiveTail: what sends the events that come in from now on, an update at least every second, for three hours at most.
///   ending  the cloud ends
///   throws  Refusal InvalidParameterException, ResourceNotFoundException
std::function<void(EventSink&)> live_tail(LogStore& store, const Call& call,
                                          const std::stop_token& ending);

}  // namespace slipway::cloud::logs
