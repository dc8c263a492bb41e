// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloud.hpp"
#include "cloud/elb/targets.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::elb {

/// Elastic Load Balancing v2 as a service of the cloud, and its target groups for the ECS side.
class LoadBalancing : public Service {
 public:
  [[nodiscard]] virtual Targets& targets() = 0;
};

std::unique_ptr<LoadBalancing> make(const Surroundings& around);

}  // namespace slipway::cloud::elb
