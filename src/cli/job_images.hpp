// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>

#include "base/log.hpp"
#include "container/runtime.hpp"
#include "oci/blob_store.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "workflow/image_source.hpp"

namespace slipway::cli {

/// Images of jobs and services: from the local image store, else pulled into it.
class StoreImages final : public workflow::ImageSource {
 public:
  /// `state`  STATE/images, for builds
  StoreImages(oci::BlobStore& store, oci::LayerCache& layers, container::Runtime& runtime,
              std::filesystem::path state, Log& log)
      : store_(store), layers_(layers), runtime_(runtime), state_(std::move(state)), log_(log) {}
  workflow::ReadyImage fetch(const std::string& reference,
                             const std::optional<workflow::RegistryLogin>& login,
                             const workflow::OutputSink& sink, std::stop_token stop) override;
  workflow::ReadyImage build(const std::filesystem::path& dockerfile,
                             const workflow::OutputSink& sink, std::stop_token stop) override;

 private:
  oci::BlobStore& store_;
  oci::LayerCache& layers_;
  container::Runtime& runtime_;
  std::filesystem::path state_;
  Log& log_;
};

}  // namespace slipway::cli
