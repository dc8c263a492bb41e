// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <filesystem>

namespace slipway::image {

struct PrunedBuilds {
  std::size_t broken_off = 0;  ///< directories that ended builds left behind
  std::size_t layers = 0;      ///< of the build cache
};

/// Removes what killed builds left in the builder's part of the image store; with `all` also everything that only makes later builds
/// faster: cached layers and their records, cache mounts, downloads.
///   root  STATE/images/build; nothing happens when it does not exist. The caller makes sure that no build is running.
PrunedBuilds prune_builds(const std::filesystem::path& root, bool all);

}  // namespace slipway::image
