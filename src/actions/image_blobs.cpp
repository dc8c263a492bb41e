// SPDX-License-Identifier: Apache-2.0
#include "actions/image_blobs.hpp"

#include "base/error.hpp"
#include "formats/io.hpp"

namespace slipway::actions {

deploy::BlobReader image_blobs(std::unique_ptr<oci::RegistryClient> client, Log& log,
                               const std::stop_token& stop) {
  // shared: by the copies of the function that is returned
  std::shared_ptr<oci::RegistryClient> registry = std::move(client);
  return [registry, &log, stop](const deploy::EcrImage& image, const std::string& digest,
                                std::int64_t size) -> std::optional<std::string> {
    try {
      formats::StringWriter bytes;
      registry->fetch_blob(
          oci::Reference::parse(fmt::format("{}/{}", image.registry, image.repository)),
          {.digest = oci::Digest::parse(digest), .size = static_cast<std::uint64_t>(size)}, bytes,
          stop);
      return bytes.take();
    } catch (const Error& error) {
      log.debug("reading {} of {}: {}", digest, image.repository, error.what());
      return std::nullopt;
    }
  };
}

}  // namespace slipway::actions
