// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "deploy/rollback.hpp"

namespace slipway::deploy {

/// Sees to it that the plan brings back what ran then: where a tag leads to another image by now, or the revision was
/// deregistered, the step gets a task definition of its own with the recorded digests; where a secret has another version by now
/// that is noted, and with `pins_secrets` the step gets the recorded version. What may not be looked at is noted.
///   throws  Error{not_found} when an image of then is gone from ECR
void bring_back(Calls& calls, std::vector<RollbackStep>& plan, bool pins_secrets,
                const std::stop_token& stop);

}  // namespace slipway::deploy
