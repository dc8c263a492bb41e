// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "base/log.hpp"
#include "oci/blob_store.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "workflow/image_source.hpp"

namespace slipway::cli {

/// Images of jobs and services: from the local image store, else pulled into it.
class StoreImages final : public workflow::ImageSource {
 public:
  StoreImages(oci::BlobStore& store, oci::LayerCache& layers, std::vector<oci::RegistryEndpoint> endpoints, Log& log)
      : store_(store), layers_(layers), endpoints_(std::move(endpoints)), log_(log) {}
  workflow::ReadyImage fetch(const std::string& reference, const std::optional<workflow::RegistryLogin>& login,
                             const workflow::OutputSink& sink, std::stop_token stop) override;

 private:
  oci::BlobStore& store_;
  oci::LayerCache& layers_;
  std::vector<oci::RegistryEndpoint> endpoints_;
  Log& log_;
};

}  // namespace slipway::cli
