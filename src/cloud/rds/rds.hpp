// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloud.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::rds {

/// RDS for PostgreSQL: each instance is a PostgreSQL server process of its own in STATE/cloud/rds, reachable at the cloud network's
/// gateway address and on loopback. Documents "rds.instance" and "rds.subnet-group", by name.
std::unique_ptr<Service> make_rds(const Surroundings& around);

}  // namespace slipway::cloud::rds
