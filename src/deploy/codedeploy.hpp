// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/deadline.hpp"
#include "deploy/calls.hpp"
#include "deploy/verdict.hpp"
#include "formats/time.hpp"

namespace slipway::deploy {

/// A release of a service whose deployment controller is CODE_DEPLOY. Names left empty are the official action's:
/// "AppECS-CLUSTER-SERVICE", "DgpECS-CLUSTER-SERVICE".
struct CodeDeployRelease {
  std::string cluster;
  std::string service;
  std::string task_definition;  ///< its ARN, put into the AppSpec
  std::string app_spec;         ///< the file's text, YAML or JSON
  std::string app_spec_file;    ///< for messages
  std::string application;
  std::string group;
  std::string description;  ///< cut to 512 characters
  std::string config;       ///< empty: the group's
};

/// Whether CodeDeploy moves this service (DescribeServices' item), not ECS itself.
bool is_by_codedeploy(const formats::Json& service);

/// The task definition that such a service runs: of its PRIMARY task set. Empty when there is none.
std::string primary_task_set(const formats::Json& service);

/// How a service is released for which no AppSpec file was named: by the deployment group that has the service (the official action's
/// name for it is tried first), with the AppSpec of its last deployment; before the first one with the service's load balancer.
///   throws  Error{not_found} when no deployment group has the service; Error{failed} with CodeDeploy's words
CodeDeployRelease codedeploy_of(Calls& calls, const formats::Json& service,
                                const std::string& cluster, const std::stop_token& stop);

/// Stops what the group is deploying, with the traffic back to the old tasks, and waits until that has ended. False when there is
/// nothing to stop.
bool stop_codedeploy(Calls& calls, const CodeDeployRelease& release, Deadline deadline,
                     const std::stop_token& stop);

/// The AppSpec as JSON with the task definition put in, as the official action sends it.
///   throws  Error{bad_input} with file, line and column, or naming the missing part
std::string filled_app_spec(const CodeDeployRelease& release);

/// CreateDeployment; when its answer is lost, the deployment that it made is looked for before it is tried again. Returns its id.
///   throws  Error with CodeDeploy's words
std::string start_codedeploy(Calls& calls, const CodeDeployRelease& release,
                             const std::stop_token& stop);

/// The newest deployment made since `since` whose AppSpec has this task definition in it; nothing when there is none.
std::optional<std::string> find_codedeploy(Calls& calls, const std::string& task_definition,
                                           formats::Time since, const std::stop_token& stop);

/// The minutes that a deployment group itself lets a deployment wait: to be continued, and with the old tasks kept.
std::chrono::minutes waits_of_group(Calls& calls, const CodeDeployRelease& release,
                                    const std::stop_token& stop);

/// Watches a deployment until it has ended, with the causes of a failure from the tasks that it started.
///   sink  one line for each new state
Verdict watch_codedeploy(Calls& calls, const CodeDeployRelease& release, const std::string& id,
                         Deadline deadline, const std::function<void(const std::string&)>& sink,
                         const std::stop_token& stop);

}  // namespace slipway::deploy
