// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <filesystem>
#include <stop_token>

namespace slipway::actions {

/// Brings what is not committed in a working tree into a checkout of its HEAD: changed and new files are copied (what
/// .gitignore names is left out), deleted ones deleted.
///   returns  how many files
std::size_t copy_changes(const std::filesystem::path& tree, const std::filesystem::path& checkout,
                         const std::stop_token& stop);

}  // namespace slipway::actions
