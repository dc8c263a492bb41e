// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "deploy/bootstrap.hpp"
#include "deploy/calls.hpp"
#include "deploy/candidate.hpp"

namespace slipway::deploy {

/// One thing that a deployment needs.
struct Finding {
  /// warned: it works, but may go wrong later; skipped: it could not be looked at
  enum class State { ok, warned, missing, skipped };
  State state = State::ok;
  std::string what;     ///< "backend: secret DATABASE_URL"
  std::string message;  ///< what is wrong; empty when it is ok
  std::string mend;     ///< what to do about it; may be empty
};

/// Looks at all that releasing the candidates needs: who we are, the workflow's role and its trust, cluster and services, task
/// definitions (unknown attributes, sizes, ports, dependencies), roles, their trust and their rights, images, secrets and the keys in
/// them, log groups, subnets and their routes, security groups, target groups and their health checks, Fargate's quota. Nothing is changed.
std::vector<Finding> check_environment(Calls& calls, const Needs& needs,
                                       const std::vector<Candidate>& candidates,
                                       const std::stop_token& stop);

/// Whether the workflow's role may make the calls of a deployment (PassRole among them), and execution roles may pull, log and read
/// their secrets: asked of iam:SimulatePrincipalPolicy. Roles that do not exist are left out.
std::vector<Finding> check_rights(Calls& calls, const Needs& needs,
                                  const std::vector<Candidate>& candidates,
                                  const std::stop_token& stop);

/// The subnets and security groups of a service, and whether tasks get out of the subnets to ECR: by an internet gateway with a
/// public address, another gateway, or VPC endpoints.
///   configuration  the service's awsvpcConfiguration
///   throws         Error{denied} when it may not be looked at
std::vector<Finding> check_network(Calls& calls, const std::string& service,
                                   const formats::Json& configuration, const std::stop_token& stop);

/// Whether the account's quota of Fargate vCPUs takes the old and the new tasks together, by what the clusters' tasks use now.
/// Nothing where the cloud knows no quotas.
std::vector<Finding> check_quota(Calls& calls, const std::vector<Candidate>& candidates,
                                 const std::stop_token& stop);

/// Warns of rules of ECR's lifecycle policies that may expire images which have been released: a way back that is no more.
std::vector<Finding> check_lifecycle(Calls& calls, const std::vector<Candidate>& candidates,
                                     const std::stop_token& stop);

/// What is wrong with a task definition by itself; needs no cloud.
std::vector<Finding> check_definition(const std::string& service, const formats::Json& definition);

}  // namespace slipway::deploy
