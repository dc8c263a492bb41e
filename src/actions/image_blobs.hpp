// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "base/log.hpp"
#include "deploy/image_contents.hpp"
#include "oci/registry_client.hpp"

namespace slipway::actions {

/// Reads blobs of images through a registry client, which all copies of the function keep. What does not come is nothing, and a
/// line of `log`.
deploy::BlobReader image_blobs(std::unique_ptr<oci::RegistryClient> client, Log& log,
                               const std::stop_token& stop);

}  // namespace slipway::actions
