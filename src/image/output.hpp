// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "image/build.hpp"
#include "image/tree.hpp"
#include "oci/manifest.hpp"

namespace slipway::image {

/// A finished image and where its parts are.
struct OutputWorld {
  BuildEnvironment& environment;
  oci::Descriptor image;           ///< of the manifest, in the store
  std::vector<std::string> names;  ///< normalised
  oci::Platform platform;
  std::function<Tree&()> root;  ///< its root file system
  const ProgressSink& progress;
  std::optional<std::int64_t>
      mtime;  ///< of all files of a directory or tar, seconds; nothing: their own
};

/// Brings the image to one place. Names that a registry took are added to `pushed`.
void write_output(const Output& output, const OutputWorld& world, std::vector<std::string>& pushed,
                  const std::stop_token& stop);

}  // namespace slipway::image
