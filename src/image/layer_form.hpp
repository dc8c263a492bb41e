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

/// The same for blobs of the compression's usual level: "gzip", "zstd", "zstd:chunked", "tar".
std::string_view plain_kind(Compression compression);

/// What a layer is compressed with, by its media type and annotations.
Compression compression_of(const oci::Descriptor& layer);

/// Puts a layer into the image store: hands `write` a writer that compresses on all processors.
///   follow  see Layer::blob()
oci::Descriptor put_in_form(const LayerForm& form, oci::BlobStore& blobs,
                            const std::function<void(formats::Writer&)>& write,
                            const FollowBlob& follow = {});

/// The same for files, see write_tar(), with what they are uncompressed.
LayerBlob put_files_in_form(const LayerForm& form, oci::BlobStore& blobs, const Entries& entries,
                            const std::stop_token& stop, const FollowBlob& follow = {});

/// A base image's layer in another compression, for force-compression; as it is when it has the form already. The clamp is not applied:
/// the content stays what its diff id says.
///   throws  Error{not_found} when the blob is not in the image store; Cancelled
oci::Descriptor in_form(const oci::Descriptor& layer, const oci::Digest& diff_id,
                        const LayerForm& form, const LayerStore& store, oci::BlobStore& blobs,
                        const std::stop_token& stop);

}  // namespace slipway::image
