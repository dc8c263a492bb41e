// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "cli/verb.hpp"
#include "oci/registry_client.hpp"

namespace slipway::cli {

/// How registries are reached from this machine: ECR's names lead to the local AWS while it runs.
std::vector<oci::RegistryEndpoint> registry_endpoints(const std::filesystem::path& state);

/// A client with the credentials of `docker login`.
std::unique_ptr<oci::RegistryClient> make_registry_client(const Surroundings& around);

}  // namespace slipway::cli
