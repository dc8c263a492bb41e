// SPDX-License-Identifier: Apache-2.0
#include "cli/registry_access.hpp"

#include "cli/aws_access.hpp"

namespace slipway::cli {

std::vector<oci::RegistryEndpoint> registry_endpoints(const std::filesystem::path& state) {
  std::vector<oci::RegistryEndpoint> endpoints;
  if (auto cloud = local_cloud(state)) {
    endpoints.push_back({.pattern = "*.dkr.ecr.*.amazonaws.com",
                         .connect_to = fmt::format("127.0.0.1:{}", cloud->get_int("tls_port")),
                         .ca_file = cloud->get_string("ca_file")});
  }
  return endpoints;
}

std::unique_ptr<oci::RegistryClient> make_registry_client(const Surroundings& around) {
  oci::RegistryClientOptions options;
  options.credentials = oci::docker_config_credentials();
  options.endpoints = registry_endpoints(around.state);
  return std::make_unique<oci::RegistryClient>(std::move(options), around.log);
}

}  // namespace slipway::cli
