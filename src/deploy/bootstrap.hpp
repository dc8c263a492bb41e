// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "deploy/calls.hpp"
#include "deploy/render.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// A service that an environment needs, as its task definition describes it.
struct ServiceNeed {
  std::string name;
  std::string container;  ///< the container that takes requests; empty: none does
  int port = 0;           ///< of that container
  std::string
      health_path;  ///< what the load balancer asks; "/" when the container's own check tells nothing
  std::string
      private_name;  ///< "backend.myapp-staging.internal": reached by that name inside; empty: reached from outside
  int private_port = 0;                ///< the port that goes with private_name
  formats::Json task_definition;       ///< the file's content
  std::vector<RenderRequest> renders;  ///< what the workflow puts into it, in order; images aside
  std::string
      unknown;  ///< of what it puts in, what only a run knows, as a sentence; empty: nothing
};

/// An environment as the workflow's deploy steps name it.
struct EnvironmentNeed {
  std::string name;  ///< "staging"
  std::string cluster;
  std::vector<ServiceNeed> services;
  bool runs_tasks = false;  ///< a deploy step runs a task besides
};

/// What must exist in AWS before a workflow's deploy job can work.
struct Needs {
  std::string account;  ///< twelve digits, of the role and the registry
  std::string region;
  std::string role_arn;                   ///< the role that the workflow takes by OIDC
  std::vector<std::string> subjects;      ///< "repo:acme/shop:environment:staging"
  std::vector<std::string> repositories;  ///< ECR repositories that images are pushed to
  std::vector<EnvironmentNeed> environments;
};

/// One thing that bootstrap looked at.
struct BootstrapStep {
  std::string kind;  ///< "ECR repository"
  std::string name;
  bool is_new = false;  ///< it was missing: made, or (dry run) to be made
  /// What was not as it is needed of what is there: mended, or (dry run) to be mended.
  std::vector<std::string> differs;
};

/// Makes what is missing, in an order in which each thing finds what it needs; what is there is left as it is, except for roles: what
/// their trust or rights lack is added (a policy that is not named "slipway" is never changed).
///   dry_run  only looks
///   told     called for each step as it is done
///   throws   Error{failed, denied, unavailable} naming the call that was refused
std::vector<BootstrapStep> bootstrap(Calls& calls, const Needs& needs, bool dry_run,
                                     const std::function<void(const BootstrapStep&)>& told,
                                     const std::stop_token& stop);

// The documents that bootstrap writes, as values.
formats::Json trust_policy_for_github(const std::string& account,
                                      const std::vector<std::string>& subjects);
formats::Json deploy_policy(const Needs& needs);
/// Lets ECS tasks take a role.
formats::Json trust_policy_for_tasks();
/// What a role of tasks needs beside AWS's own policy: as an execution role the secrets and parameters that its task definitions
/// name, as a task role the channels of ECS Exec. Nothing when it needs no more.
std::optional<formats::Json> task_policy(const Needs& needs, const std::string& role);
/// True when a task definition has it as its execution role: it gets AmazonECSTaskExecutionRolePolicy.
bool is_execution_role(const Needs& needs, const std::string& role);
/// True when commands can be run in the service's tasks (ECS Exec): they have a role of their own for it.
bool can_execute(const ServiceNeed& service);
/// True for the name of a secret that is to hold where a database is: "…/database-url", "…/DB_URL".
bool is_database_url(const std::string& secret_name);
/// All secrets' ARNs that task definitions name in `valueFrom`, without a key's suffix.
std::set<std::string> secrets_of(const formats::Json& task_definition);
/// All parameters of Systems Manager that task definitions name in `valueFrom`, by name.
std::set<std::string> parameters_of(const formats::Json& task_definition);

}  // namespace slipway::deploy
