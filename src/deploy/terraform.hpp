// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "deploy/bootstrap.hpp"

namespace slipway::deploy {

/// What bootstrap() would make, as Terraform for the provider hashicorp/aws: one file's text, formatted as `terraform fmt` does.
std::string to_terraform(const Needs& needs);

}  // namespace slipway::deploy
