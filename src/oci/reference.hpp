// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "oci/digest.hpp"

namespace slipway::oci {

/// The name of an image in a registry, normalised as the docker command line does: "alpine" is
/// docker.io/library/alpine:latest.
///   source  distribution/reference, normalize.go and reference.go
struct Reference {
  std::string
      host;  ///< "docker.io", "127.0.0.1:5000", "123456789012.dkr.ecr.us-east-1.amazonaws.com"
  std::string repository;        ///< "library/alpine", without host
  std::string tag;               ///< empty only when there is a digest
  std::optional<Digest> digest;  ///< when both are there the digest wins

  /// Reads "[host/]repository[:tag][@digest]". throws Error{bad_input} that says which part is
  /// wrong
  static Reference parse(std::string_view text);
  /// "docker.io/library/alpine".
  [[nodiscard]] std::string name() const { return host + "/" + repository; }
  /// The whole: "docker.io/library/alpine:latest", "host/a@sha256:…", "host/a:1@sha256:…".
  [[nodiscard]] std::string str() const;
  /// As a person writes it: "alpine:latest", "myapp/web:1".
  [[nodiscard]] std::string familiar() const;
  /// What a registry is asked for: the digest, else the tag.
  [[nodiscard]] std::string tag_or_digest() const { return digest ? digest->str() : tag; }
  bool operator==(const Reference&) const = default;
};

/// True when `text` is a repository's path: lower-case components of letters and digits with '.',
/// '_', "__" or '-' between, joined by '/'; at most 255 characters.
bool is_repository(std::string_view text);
/// True for `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
bool is_tag(std::string_view text);

}  // namespace slipway::oci

template <>
struct fmt::formatter<slipway::oci::Reference> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const slipway::oci::Reference& reference, Context& context) const {
    return fmt::formatter<std::string_view>::format(reference.familiar(), context);
  }
};
