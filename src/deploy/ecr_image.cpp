// SPDX-License-Identifier: Apache-2.0
#include "deploy/ecr_image.hpp"

#include "base/error.hpp"

namespace slipway::deploy {

using formats::Json;

std::optional<EcrImage> parse_ecr_image(std::string_view reference) {
  auto slash = reference.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  EcrImage image{.registry = std::string(reference.substr(0, slash)),
                 .account = "",
                 .repository = "",
                 .tag = "",
                 .digest = ""};
  auto mark = image.registry.find(".dkr.ecr.");
  if (mark == std::string::npos) return std::nullopt;
  image.account = image.registry.substr(0, mark);
  reference.remove_prefix(slash + 1);
  if (auto at = reference.find('@'); at != std::string_view::npos) {
    image.digest = reference.substr(at + 1);
    reference = reference.substr(0, at);
  }
  if (auto colon = reference.rfind(':'); colon != std::string_view::npos) {
    image.tag = reference.substr(colon + 1);
    reference = reference.substr(0, colon);
  }
  image.repository = reference;
  return image;
}

std::optional<std::string> resolve_digest(Calls& calls, const EcrImage& image,
                                          const std::stop_token& stop) {
  Json id = Json::object();
  if (!image.digest.empty()) {
    id["imageDigest"] = image.digest;
  } else {
    id["imageTag"] = image.tag.empty() ? "latest" : image.tag;
  }
  auto answer = calls.call("ecr", "DescribeImages",
                           Json::object({{"registryId", image.account},
                                         {"repositoryName", image.repository},
                                         {"imageIds", Json::array({id})}}),
                           stop);
  if (const auto* error = answer.error(); error && error->code == "ImageNotFoundException")
    return std::nullopt;
  const auto& details = answer.value().get_array("imageDetails");
  if (details.empty()) return std::nullopt;
  return details.front().get_string("imageDigest");
}

}  // namespace slipway::deploy
