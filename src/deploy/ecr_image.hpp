// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "deploy/calls.hpp"

namespace slipway::deploy {

/// An image in ECR: "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:abc@sha256:…".
struct EcrImage {
  std::string registry;  ///< host name
  std::string account;
  std::string repository;  ///< "shop/web"
  std::string tag;         ///< empty when none is given
  std::string digest;      ///< "sha256:…"; empty when none is given
};
/// Nothing when it is in another registry.
std::optional<EcrImage> parse_ecr_image(std::string_view reference);

/// The digest that the reference stands for now; nothing when the repository has no such image.
///   throws  Error{not_found} when there is no such repository, or what else was refused
std::optional<std::string> resolve_digest(Calls& calls, const EcrImage& image,
                                          const std::stop_token& stop);

}  // namespace slipway::deploy
