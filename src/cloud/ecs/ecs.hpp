// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloud.hpp"
#include "cloud/ecs/deployer.hpp"
#include "cloud/ecs/images.hpp"
#include "cloud/elb/targets.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::ecs {

/// Amazon ECS. `targets` must outlive it.
///   deployer  set to the same object, for CodeDeploy; null: not wanted
std::unique_ptr<Service> make(const Surroundings& around, std::unique_ptr<Images> images,
                              elb::Targets& targets, Deployer** deployer = nullptr);

/// Images from the account's ECR registries of this cloud and from everywhere else, kept and unpacked in STATE/images.
std::unique_ptr<Images> make_images(const Surroundings& around);

}  // namespace slipway::cloud::ecs
