// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "actions/catalog.hpp"
#include "workflow/job_tool.hpp"

namespace slipway::actions {

/// `docker` as jobs find it: build, buildx, login, logout, push, pull, tag, images, rmi, inspect, save, load, version, info. Images are
/// those of slipway's own store, builds are slipway's own; there is no daemon. Another command is refused by name.
std::unique_ptr<workflow::JobTool> make_docker_tool(const Dependencies& dependencies);

}  // namespace slipway::actions
