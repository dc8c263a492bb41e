// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::autoscaling {

/// Application Auto Scaling as far as deployments meet it: scalable targets and policies are kept and told. Nothing scales by them: there
/// are no metrics.
std::unique_ptr<Service> make_autoscaling(State& state);

}  // namespace slipway::cloud::autoscaling
