// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cli/verb.hpp"

namespace slipway::cli {

/// Cleans up after runs whose process was killed: their containers, networks and mounts go, their records say that they are lost. Does
/// nothing when there are none.
void sweep_lost_runs(const Surroundings& around);

}  // namespace slipway::cli
