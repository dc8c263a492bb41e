// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "deploy/compare.hpp"
#include "deploy/ecr_image.hpp"

namespace slipway::deploy {

/// Software packages with their versions: "deb/openssl" → {"3.0.11-1"}. npm's may be there in several.
using Packages = std::map<std::string, std::set<std::string>>;

/// What an image consists of.
struct ImageContents {
  std::map<std::string, std::int64_t> layers;  ///< digest → bytes; empty: not told
  std::optional<Packages> packages;            ///< of its SBOM; nothing: it has none
};

/// The packages of an SPDX 2.x document, alone or as the predicate of an in-toto statement. Entries without a version are left out.
///   returns  nothing when the text is neither
std::optional<Packages> packages_of_sbom(std::string_view text);

/// Reads a blob of an image's repository; nothing when the registry does not give it.
using BlobReader = std::function<std::optional<std::string>(
    const EcrImage& image, const std::string& digest, std::int64_t size_bytes)>;

/// What ECR tells of an image; of an index its first image counts. What is refused is left out.
///   blobs   empty: SBOMs are not read
///   source  moby/buildkit docs/attestations/attestation-storage.md: the SBOM is a layer of the manifest whose annotation
///           vnd.docker.reference.digest names the image
ImageContents contents_of(Calls& calls, const std::string& reference, const BlobReader& blobs,
                          const std::stop_token& stop);

/// Adds to an image's change which layers and packages differ: as lines, and for --json.
void describe_change(Change& change, const ImageContents& before, const ImageContents& after);

}  // namespace slipway::deploy
