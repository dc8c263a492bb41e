// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <stop_token>

namespace slipway::cloud {

/// Writes a cloud's resources, images and authority into one file (tar, zstd). The cloud may be running, but for its databases, whose
/// files are only whole when it is not.
///   directory   STATE/cloud
///   is_running  whether somebody serves it now
///   throws      Error{conflict} when there are databases and it runs
void save_snapshot(const std::filesystem::path& directory, const std::filesystem::path& file,
                   bool is_running, const std::stop_token& stop);

/// Puts what a file holds in place of what a cloud had. Nobody may serve it. Half read files leave it as it was.
///   throws  Error{bad_input} when the file is no snapshot
void load_snapshot(const std::filesystem::path& file, const std::filesystem::path& directory,
                   const std::stop_token& stop);

}  // namespace slipway::cloud
