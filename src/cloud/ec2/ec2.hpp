// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "cloud/cloud.hpp"
#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::ec2 {

/// EC2's networking as far as clients of ECS, ELB and RDS need it: a default VPC with a subnet in each zone and a default security
/// group in every region, as a fresh account has them; more VPCs, subnets and groups can be made and are remembered. Documents are
/// "ec2.vpc", "ec2.subnet", "ec2.group", by id, with the names of the ec2 protocol.
std::unique_ptr<Service> make_ec2(const Surroundings& around);

}  // namespace slipway::cloud::ec2
