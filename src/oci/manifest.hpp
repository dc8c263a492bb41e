// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "oci/digest.hpp"

namespace slipway::oci {

namespace media_type {
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
}  // namespace media_type

/// True for an image index or a docker manifest list.
bool is_index_type(std::string_view type);
/// True for an OCI or docker (schema 2) image manifest.
bool is_manifest_type(std::string_view type);
/// True for layers that a registry need not hold ("foreign", "nondistributable").
bool is_foreign_layer_type(std::string_view type);

/// What an image runs on.
struct Platform {
  std::string os = "linux";
  std::string architecture;  ///< as Go names it: "amd64", "arm64"
  std::string variant;       ///< "v8", "v7"; often empty
  std::string os_version;

  /// This machine's.
  static Platform host();
  /// "linux/arm64[/v8]", "arm64"; names as uname has them are understood. throws Error{bad_input}
  static Platform parse(std::string_view text);
  [[nodiscard]] std::string str() const;
  /// True when an image for `image` may run where this is wanted: the same, an empty variant
  /// standing for the usual one.
  [[nodiscard]] bool accepts(const Platform& image) const;
  bool operator==(const Platform&) const = default;
};

using Annotations = std::map<std::string, std::string>;

/// Points to a content. source OCI image-spec 1.1, descriptor.md
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  std::vector<std::string> urls;
  Annotations annotations;
  std::optional<Platform> platform;
  std::string artifact_type;
  bool operator==(const Descriptor&) const = default;
};

/// One image (or artifact) for one platform. source OCI image-spec 1.1, manifest.md
struct Manifest {
  std::string media_type = std::string(media_type::kManifest);
  std::string artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;  ///< lowest first
  std::optional<Descriptor> subject;
  Annotations annotations;
  bool operator==(const Manifest&) const = default;
};

/// Several manifests under one name. source OCI image-spec 1.1, image-index.md
struct Index {
  std::string media_type = std::string(media_type::kIndex);
  std::string artifact_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  Annotations annotations;
  bool operator==(const Index&) const = default;
};

/// HEALTHCHECK. Times in nanoseconds, 0 when inherited.
struct Healthcheck {
  std::vector<std::string> test;  ///< {"NONE"}, {"CMD", …} or {"CMD-SHELL", text}
  std::int64_t interval_ns = 0;
  std::int64_t timeout_ns = 0;
  std::int64_t start_period_ns = 0;
  std::int64_t start_interval_ns = 0;
  int retries = 0;
  bool operator==(const Healthcheck&) const = default;
};

/// How a container of the image is started by default: "config" of the image configuration.
struct RunConfig {
  std::string user;
  std::vector<std::string> exposed_ports;  ///< "80/tcp", sorted
  std::vector<std::string> env;            ///< "NAME=value", in order
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::vector<std::string> volumes;  ///< sorted
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<Healthcheck> healthcheck;
  std::vector<std::string> shell;
  std::vector<std::string> on_build;
  bool operator==(const RunConfig&) const = default;
};

struct History {
  std::string created;  ///< RFC 3339; empty when unknown
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
  bool operator==(const History&) const = default;
};

/// The image configuration. source OCI image-spec 1.1, config.md
struct ImageConfig {
  Platform platform;
  std::string created;  ///< RFC 3339; empty when left out
  std::string author;
  RunConfig config;
  std::vector<Digest> diff_ids;  ///< of the uncompressed layers, lowest first
  std::vector<History> history;
  bool operator==(const ImageConfig&) const = default;
};

/// Reads an image manifest, OCI or docker schema 2. throws Error{bad_input} naming the field
Manifest parse_manifest(std::string_view bytes);
/// Reads an image index or docker manifest list. throws Error{bad_input} naming the field
Index parse_index(std::string_view bytes);
/// Tells the two apart by "mediaType", else by their fields. `type` is what the transport called
/// it, "" when it did not.
///   throws  Error{bad_input} when it is neither, is both, or `type` and "mediaType" differ
std::variant<Manifest, Index> parse_manifest_or_index(std::string_view bytes,
                                                      std::string_view type = "");
/// Reads an image configuration. throws Error{bad_input} naming the field
ImageConfig parse_image_config(std::string_view bytes);

// The same values give the same bytes: one line of JSON, keys in the order in which the
// specification names them.
std::string print(const Manifest& manifest);
std::string print(const Index& index);
std::string print(const ImageConfig& config);

/// Describes `bytes` by their SHA-256.
Descriptor describe(std::string_view bytes, std::string_view media_type);
/// The index's image for a platform, attestations left out; nullptr when there is none. An exact
/// variant beats an accepted one.
const Descriptor* select(const Index& index, const Platform& platform);

}  // namespace slipway::oci
