// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "cloud/ecs/model.hpp"

// Lifecycle hooks that pause a deployment until ContinueServiceDeployment, or their time, decides.
namespace slipway::cloud::ecs {

/// What a deployment's hooks say of a stage.
struct PauseVerdict {
  enum class Kind { passes, waits, rolls_back } kind = Kind::passes;
  std::int64_t until = 0;  ///< when waiting: its time's end, in ms since the epoch
};

/// Whether any hook is for this stage.
bool has_pause(const Json& strategy, std::string_view stage);
/// Asks a stage's hooks: those that were not asked before begin to wait, those whose time is over take their timeout action. Notes it
/// in the deployment.
///   strategy  deploymentConfiguration with its lifecycleHooks
///   source    ECS API, DeploymentLifecycleHook, DeploymentLifecycleHookTimeoutConfiguration
PauseVerdict ask_pauses(const Json& strategy, Deployment& deployment, std::string_view stage,
                        std::int64_t now);
/// Answers a waiting hook. False when there is none of this id that waits.
bool answer_pause(Deployment& deployment, const std::string& hook_id, bool continues);
/// As lifecycleHookDetails shows them.
Json pause_details(const Deployment& deployment);

}  // namespace slipway::cloud::ecs
