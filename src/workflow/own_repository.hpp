// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "workflow/job_state.hpp"

namespace slipway::workflow {

/// Lets git inside the job fetch the run's own repository from this machine, where the run's commit is, instead of from the server,
/// which may not have it yet: puts a copy of it into the machine and the redirection into `env`.
///   env     of the process that is going to fetch; gets GIT_CONFIG_*
///   throws  Error{unavailable} when the copy cannot be made; Cancelled
void offer_own_repository(JobState& job, Variables& env);

}  // namespace slipway::workflow
