// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cloud/ecr/lifecycle.hpp"
#include "cloud/service.hpp"
#include "cloud/state.hpp"
#include "oci/registry_store.hpp"

namespace slipway::cloud::ecr {

// The operations on images of one repository, which exists.
Json describe_images(oci::RegistryStore& store, const Call& call, const std::string& repository);
Json list_images(oci::RegistryStore& store, const Call& call, const std::string& repository);
Json batch_get_image(oci::RegistryStore& store, const Call& call, const std::string& repository);
Json batch_delete_image(oci::RegistryStore& store, const Call& call, const std::string& repository);
/// `stored` is the repository's document: tags may be immutable.
Json put_image(oci::RegistryStore& store, const Call& call, const std::string& repository,
               const Json& stored);
// The upload API for layers.
Json initiate_layer_upload(oci::RegistryStore& store, const Call& call,
                           const std::string& repository);
Json upload_layer_part(oci::RegistryStore& store, const Call& call, const std::string& repository);
Json complete_layer_upload(oci::RegistryStore& store, const Call& call,
                           const std::string& repository);
/// What a lifecycle policy looks at.
std::vector<LifecycleImage> lifecycle_images(const oci::RegistryStore& store,
                                             const std::string& repository);
Json batch_check_layer_availability(oci::RegistryStore& store, const Call& call,
                                    const std::string& repository);

}  // namespace slipway::cloud::ecr
