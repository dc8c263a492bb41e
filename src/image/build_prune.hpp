// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>

#include "oci/blob_store.hpp"

namespace slipway::image {

struct PrunedBuilds {
  std::size_t broken_off = 0;  ///< directories that ended builds left behind
  std::size_t layers = 0;      ///< of the build cache
};

struct ShrunkBuilds {
  std::size_t layers = 0;            ///< of the build cache that went
  std::size_t others = 0;            ///< cache mounts and downloads that went
  std::uint64_t bytes = 0;           ///< on disk, of all that went
  std::set<oci::Digest> kept_blobs;  ///< of layers that stayed: for collect_garbage()
};

/// Removes what killed builds left in the builder's part of the image store; with `all` also everything that only makes later builds
/// faster: cached layers and their records, cache mounts, downloads.
///   root  STATE/images/build; nothing happens when it does not exist. The caller makes sure that no build is running.
PrunedBuilds prune_builds(const std::filesystem::path& root, bool all);

/// Removes of what only makes later builds faster that which was used longest ago, until the rest takes at most `most_bytes` on disk.
///   root  as in prune_builds(), which comes first
ShrunkBuilds shrink_builds(const std::filesystem::path& root, const oci::BlobStore& blobs,
                           std::uint64_t most_bytes);

}  // namespace slipway::image
