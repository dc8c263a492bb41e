// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "workflow/job_machine.hpp"

namespace slipway::workflow {

/// An image that is on this machine, ready to be a container's root.
struct ReadyImage {
  std::vector<std::filesystem::path> layers;  ///< unpacked, top-most first
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string user;
  std::string workdir;
  std::vector<std::string> volumes;      ///< paths inside
  std::vector<std::string> health_test;  ///< {"CMD", …} or {"CMD-SHELL", "…"}; empty: none
};

/// Where images of `container:`, `services:` and docker:// come from.
class ImageSource {
 public:
  ImageSource() = default;
  ImageSource(const ImageSource&) = delete;
  ImageSource& operator=(const ImageSource&) = delete;
  virtual ~ImageSource() = default;
  /// The image by its reference: the local store's, else pulled.
  ///   throws  Error{not_found, denied, unavailable}; Cancelled
  virtual ReadyImage fetch(const std::string& reference, const std::optional<RegistryLogin>& login,
                           const OutputSink& sink, std::stop_token stop) = 0;
  /// The image that a Dockerfile makes, with its directory as the context.
  ///   throws  Error{bad_input, failed, unavailable}; Cancelled
  virtual ReadyImage build(const std::filesystem::path& dockerfile, const OutputSink& sink,
                           std::stop_token stop) = 0;
};

}  // namespace slipway::workflow
