// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "formats/json.hpp"
#include "image/build.hpp"
#include "image/tree.hpp"
#include "oci/blob_store.hpp"
#include "oci/manifest.hpp"

namespace slipway::image {

/// An image that a build started from or copied from.
struct Material {
  std::string name;  ///< Reference::str()
  oci::Digest digest;
};

/// A software package that lies in an image.
struct Package {
  std::string type;  ///< purl's: "deb", "apk", "npm", "pypi"
  std::string name;
  std::string version;
  std::string architecture;  ///< empty when it has none
  auto operator<=>(const Package&) const = default;
};

/// The packages that dpkg, apk, npm and pip installed into a file system, sorted.
std::vector<Package> packages_of(Tree& root, const std::stop_token& stop);
/// Reads /var/lib/dpkg/status. Pure.
std::vector<Package> parse_dpkg(std::string_view status);
/// Reads /lib/apk/db/installed. Pure.
std::vector<Package> parse_apk(std::string_view installed);

/// An SPDX 2.3 document.
///   name, created  of the document; the same values give the same bytes
formats::Json spdx_document(const std::vector<Package>& packages, const std::string& name,
                            const std::string& created);

/// How an image was made: a SLSA provenance predicate as BuildKit words it.
///   mode_max  with the build arguments and the Dockerfile
///   version   "v0.2" or "v1"
struct BuildFacts {
  const BuildRequest& request;
  std::string dockerfile;  ///< its text
  std::vector<Material> materials;
  std::string platform;
  std::string started;  ///< RFC 3339
  std::string finished;
  std::string id;  ///< of this run
};
formats::Json provenance(const BuildFacts& facts, bool mode_max, const std::string& version);

/// One in-toto statement about an image.
struct Attestation {
  std::string predicate_type;
  formats::Json predicate;
};
inline constexpr const char* kSpdxPredicate = "https://spdx.dev/Document";
inline constexpr const char* kProvenance02 = "https://slsa.dev/provenance/v0.2";
inline constexpr const char* kProvenance1 = "https://slsa.dev/provenance/v1";

/// Puts the attestations into the store beside their image, as BuildKit lays them out.
///   image    its manifest; names: what it is called
///   returns  the index that holds both
///   source   moby/buildkit docs/attestations/attestation-storage.md
oci::Descriptor put_attestations(oci::BlobStore& store, const oci::Descriptor& image,
                                 const oci::Platform& platform,
                                 const std::vector<std::string>& names,
                                 const std::vector<Attestation>& attestations);

}  // namespace slipway::image
