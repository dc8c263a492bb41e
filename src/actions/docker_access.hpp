// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "actions/catalog.hpp"
#include "oci/credentials.hpp"
#include "oci/registry_client.hpp"
#include "workflow/action.hpp"

namespace slipway::actions {

/// Where the job's docker keeps its logins (DOCKER_CONFIG, else ~/.docker), as slipway finds it.
std::filesystem::path docker_config(workflow::ActionContext& context);
/// What the registry is called in docker's configuration: a host for "https://host", Docker Hub for "".
std::string registry_host(std::string_view registry);
/// The account and region of an ECR host; nothing for other hosts.
struct EcrHost {
  std::string account;
  std::string region;
};
std::optional<EcrHost> parse_ecr_host(std::string_view host);
/// A client that reaches registries as the job does, with its logins.
///   hosts  registries that will be asked, besides all of ECR
std::unique_ptr<oci::RegistryClient> registry_client(workflow::ActionContext& context,
                                                     const Dependencies& dependencies,
                                                     const std::vector<std::string>& hosts);

/// One registry's login by ecr:GetAuthorizationToken.
struct EcrLogin {
  std::string endpoint;  ///< "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"
  std::string host;
  oci::Credentials credentials;
};
/// A login for each of the accounts; for the caller's own when there are none. throws Error{denied} with what ECR says
std::vector<EcrLogin> ecr_logins(workflow::ActionContext& context,
                                 const std::vector<std::string>& accounts,
                                 const std::string& region = "");

}  // namespace slipway::actions
