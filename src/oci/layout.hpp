// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "formats/io.hpp"
#include "oci/blob_store.hpp"

namespace slipway::oci {

/// Brings the images of an OCI layout directory into the store; every blob is checked. Blobs are
/// hard-linked where the file system allows.
///   name     for an image whose index entry has no full name in its annotations; empty: such
///   images are kept without a name returns  what was named, in the layout's order source   OCI
///   image-spec 1.1, image-layout.md
std::vector<TaggedImage> import_layout(const std::filesystem::path& directory, BlobStore& store,
                                       const std::string& name, const std::stop_token& stop);
/// The same from a tar: an OCI layout, or an archive of `docker save`.
std::vector<TaggedImage> import_archive(formats::Reader& tar, BlobStore& store,
                                        const std::string& name, const std::stop_token& stop);

/// Writes images as an OCI layout directory (made or added to).
void export_layout(const BlobStore& store, std::span<const TaggedImage> images,
                   const std::filesystem::path& directory, const std::stop_token& stop);
/// Writes images as an OCI layout in a tar.
void export_layout_tar(const BlobStore& store, std::span<const TaggedImage> images,
                       formats::Writer& tar, const std::stop_token& stop);
/// Writes images as the archive that `docker load` (and podman) reads. Layers are uncompressed on
/// the way.
///   throws  Error{not_found} when an index has no image for `platform`
void export_docker_archive(const BlobStore& store, std::span<const TaggedImage> images,
                           const Platform& platform, formats::Writer& tar,
                           const std::stop_token& stop);

}  // namespace slipway::oci
