// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "deploy/calls.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// DescribeServices of one service. throws Error{not_found} "service 'x' is MISSING in cluster 'c'"
formats::Json describe_service(Calls& calls, const std::string& cluster, const std::string& service,
                               const std::stop_token& stop);
/// The service's deployment with status PRIMARY, or nullptr.
const formats::Json* primary_of(const formats::Json& service);
/// The service's deployment of that id, or nullptr.
const formats::Json* deployment_of(const formats::Json& service, const std::string& id);

}  // namespace slipway::deploy
