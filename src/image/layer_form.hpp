// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "formats/io.hpp"
#include "image/build.hpp"
#include "image/layer_store.hpp"

namespace slipway::image {

/// How a request wants its new layers written.
LayerForm layer_form(const BuildRequest& request);

/// A short name for blobs of that form: "gzip", "zstd@19", "tar-1700000000".
std::string kind_of(const LayerForm& form);

/// Hands `write` a writer that compresses into `out` on all processors.
///   returns  the media type of what came out
std::string write_in_form(const LayerForm& form, formats::Writer& out,
                          const std::function<void(formats::Writer&)>& write);

/// A base image's layer in another compression, for force-compression; as it is when it has the form already. The clamp is not applied:
/// the content stays what its diff id says.
///   throws  Error{not_found} when the blob is not in the image store; Cancelled
oci::Descriptor in_form(const oci::Descriptor& layer, const oci::Digest& diff_id,
                        const LayerForm& form, const LayerStore& store, oci::BlobStore& blobs,
                        const std::stop_token& stop);

}  // namespace slipway::image
