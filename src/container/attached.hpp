// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <stop_token>
#include <string>

#include "container/bundle.hpp"
#include "container/runtime.hpp"

namespace slipway::container {

/// Runtime::run() on an OCI runtime. Without limits the runtime is our own child and the container has no cgroup, which is fastest;
/// with limits a supervisor stands between, who can tell a kill for memory.
ContainerExit run_attached(const RuntimeOptions& options, const Places& places,
                           const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                           const std::stop_token& stop, Deadline deadline);

/// Runtime::exec() by the OCI runtime's own exec; `bundle` holds the container's config.json.
os::Exit exec_in(const Places& places, const std::string& id, const std::filesystem::path& bundle,
                 const ExecSpec& exec, const RunIo& io, const std::stop_token& stop,
                 Deadline deadline);

/// A new, empty directory for an attached container; what a dead slipway left under this id is removed first.
///   throws  Error{conflict} when a living one uses the id
std::filesystem::path claim_bundle(const Places& places, const std::string& id);

/// Removes a dead slipway's attached container with all that it had.
void remove_dead(const Places& places, const std::string& id);

/// Kills and removes what the runtime program still knows under this id; absence is fine.
void delete_leftover(const Places& places, const std::string& id, const std::string& cgroup);

}  // namespace slipway::container
