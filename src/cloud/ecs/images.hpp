// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "cloud/state.hpp"
#include "oci/manifest.hpp"

namespace slipway::cloud::ecs {

/// An image ready to be run.
struct TaskImage {
  std::string digest;                         ///< of the manifest: "sha256:…"
  std::vector<std::filesystem::path> layers;  ///< unpacked, top-most first
  oci::ImageConfig config;
};

/// Where tasks get their images from.
class Images {
 public:
  Images() = default;
  Images(const Images&) = delete;
  Images& operator=(const Images&) = delete;
  virtual ~Images() = default;
  /// Pulls what is missing and unpacks it.
  ///   image  as the task definition names it; `digest` (when not empty) is what its deployment resolved it to
  ///   role   the execution role, which must be allowed to pull from ECR; empty: none
  ///   throws Error whose message is the rest of "CannotPullContainerError: ", or a whole "ResourceInitializationError: …"; Cancelled
  virtual TaskImage pull(const std::string& image, const std::string& digest,
                         const std::string& role, const Scope& scope,
                         const std::stop_token& stop) = 0;
};

}  // namespace slipway::cloud::ecs
