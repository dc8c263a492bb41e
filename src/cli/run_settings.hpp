// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/verb.hpp"
#include "workflow/run.hpp"

namespace slipway::cli {

/// "K=V" arguments. throws Error{bad_input} naming the option for one without '='
std::vector<std::pair<std::string, std::string>> read_pairs(const std::vector<std::string>& values,
                                                            const std::string& option);

/// Secrets, variables and environments: STATE/settings.json, then --secret-file, then --secret, --var and --env.
///   throws  Error{bad_input}
workflow::RunSettings read_run_settings(const Invocation& given,
                                        const std::filesystem::path& state);

}  // namespace slipway::cli
