// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/discovery/registry.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::discovery {

/// AWS Cloud Map over the registry.
std::unique_ptr<Service> make_discovery(State& state, Registry& registry);

}  // namespace slipway::cloud::discovery
