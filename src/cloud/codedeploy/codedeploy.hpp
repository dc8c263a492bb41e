// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloud.hpp"
#include "cloud/ecs/deployer.hpp"
#include "cloud/elb/targets.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::codedeploy {

/// AWS CodeDeploy for the compute platform ECS: applications, deployment groups and configurations, blue/green deployments.
/// `deployer` and `targets` must outlive it.
std::unique_ptr<Service> make(const Surroundings& around, ecs::Deployer& deployer,
                              elb::Targets& targets);

}  // namespace slipway::cloud::codedeploy
