// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "formats/io.hpp"
#include "workflow/action.hpp"

// Files go into and out of a job by its own tar, whose streams are ours: nothing that the job names is followed on slipway's own file
// system, owners and links are the job's, and the archive is written once.
namespace slipway::actions {

/// Runs a program of the job that reads what `feed` writes.
///   throws  what `feed` threw, when the program itself is content
os::Exit run_fed(workflow::ActionContext& context, const std::vector<std::string>& argv,
                 const std::function<void(formats::Writer&)>& feed);

/// Runs a program of the job whose stdout becomes the file `into`; the rest goes to the log.
os::Exit run_into(workflow::ActionContext& context, const std::vector<std::string>& argv,
                  const std::filesystem::path& into);

/// Unpacks a tar, plain or compressed with gzip or zstd, below the workspace; absolute names are kept.
os::Exit unpack_tar(workflow::ActionContext& context, const std::filesystem::path& archive);

}  // namespace slipway::actions
