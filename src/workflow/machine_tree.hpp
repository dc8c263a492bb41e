// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "workflow/job_machine.hpp"

namespace slipway::workflow {

/// hashFiles() in a job's workspace.
std::string hash_machine_files(const JobMachine& machine, const std::vector<std::string>& patterns);

}  // namespace slipway::workflow
