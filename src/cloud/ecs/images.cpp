// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/images.hpp"

#include "base/error.hpp"
#include "cloud/ecr/ecr.hpp"
#include "cloud/ecr/upstream.hpp"
#include "cloud/ecs/ecs.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"
#include "formats/io.hpp"
#include "oci/blob_store.hpp"
#include "oci/credentials.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_store.hpp"
#include "oci/unpack.hpp"
#include "os/fd.hpp"

namespace slipway::cloud::ecs {
namespace {

// The uncompressed tar of a layer blob, with the descriptor that it reads from.
class BlobTar final : public formats::Reader {
 public:
  explicit BlobTar(os::Fd fd)
      : fd_(std::move(fd)), packed_(fd_.get()), tar_(oci::decompress(packed_)) {}
  std::size_t read(std::span<char> into) override { return tar_->read(into); }

 private:
  os::Fd fd_;
  formats::FdReader packed_;
  std::unique_ptr<formats::Reader> tar_;
};

class CloudImages final : public Images {
 public:
  explicit CloudImages(const Surroundings& around)
      : around_(around),
        upstreams_(around.state, around.registries, around.log),
        store_(around.options.state / "images"),
        layers_(around.options.state / "images/layers") {}

  TaskImage pull(const std::string& image, const std::string& digest, const std::string& role,
                 const Scope& scope, const std::stop_token& stop) override {
    auto reference = oci::Reference::parse(image);
    if (!digest.empty()) reference.digest = oci::Digest::parse(digest);
    auto host = ecr::parse_registry_host(reference.host);
    return host ? pull_from_ecr(reference, {host->account, host->region}, role, stop)
                : pull_from_elsewhere(reference, scope, stop);
  }

 private:
  void check_role(const std::string& role, const Scope& registry, const oci::Reference& reference) {
    const auto& iam = around_.authoriser;
    std::string resource =
        arn("ecr", registry.region, registry.account, "repository/" + reference.repository);
    std::vector<std::pair<std::string, std::string>> needed = {
        {"ecr:GetAuthorizationToken", "*"},
        {"ecr:BatchGetImage", resource},
        {"ecr:GetDownloadUrlForLayer", resource}};
    for (const auto& more :
         upstreams_.import_actions(registry, reference.repository, reference.tag_or_digest()))
      needed.emplace_back(more, resource);
    for (const auto& [action, on] : needed) {
      auto decision = iam.decide_for_role(role, action, on, registry.region);
      if (decision.is_allowed) continue;
      if (on == "*") {
        fail(Fault::denied,
             "ResourceInitializationError: unable to pull secrets or registry auth: execution "
             "resource retrieval failed: unable to retrieve ecr registry "
             "auth: service call has been retried 1 time(s): AccessDeniedException: User: "
             "arn:{}:sts::{}:assumed-role/{}/ecs-task is not authorized to "
             "perform: {} on resource: {} {}",
             partition_of(registry.region), registry.account, iam::role_name_of(role), action, on,
             decision.reason);
      }
      fail(Fault::denied,
           "pull image manifest has been retried 1 time(s): failed to resolve ref {0}: unexpected "
           "status from HEAD request to https://{1}/v2/{2}/manifests/{3}: 403 Forbidden ({4} {5})",
           reference.str(), reference.host, reference.repository, reference.tag_or_digest(), action,
           decision.reason);
    }
  }

  TaskImage pull_from_ecr(const oci::Reference& reference, const Scope& registry,
                          const std::string& role, const std::stop_token& stop) {
    check_role(role, registry, reference);
    auto& store = around_.registries.of(registry);
    auto missing = [&] {
      fail(Fault::not_found,
           "pull image manifest has been retried 1 time(s): failed to resolve ref {0}: {0}: not "
           "found",
           reference.str());
    };
    upstreams_.bring_manifest(registry, reference.repository, reference.tag_or_digest(), stop);
    auto stored = store.manifest(reference.repository, reference.tag_or_digest());
    if (!stored) missing();
    auto parsed = oci::parse_manifest_or_index(*stored->bytes, stored->media_type);
    if (auto* index = std::get_if<oci::Index>(&parsed)) {
      const auto* fitting = oci::select(*index, oci::Platform::host());
      if (!fitting)
        fail(Fault::not_found, "image Manifest does not contain descriptor matching platform '{}'",
             oci::Platform::host().str());
      upstreams_.bring_manifest(registry, reference.repository, fitting->digest.str(), stop);
      auto child = store.manifest(reference.repository, fitting->digest.str());
      if (!child) missing();
      parsed = oci::parse_manifest(*child->bytes);
    }
    const auto& manifest = std::get<oci::Manifest>(parsed);
    upstreams_.bring_blob(registry, reference.repository, manifest.config.digest, stop);
    for (const auto& layer : manifest.layers)
      upstreams_.bring_blob(registry, reference.repository, layer.digest, stop);
    TaskImage image{.digest = stored->digest.str(), .layers = {}, .config = {}};
    image.config = oci::parse_image_config(blob_text(store, reference, manifest.config.digest));
    image.layers = unpacked(store, reference, manifest, image.config, stop);
    return image;
  }

  static os::Fd blob(oci::RegistryStore& store, const oci::Reference& reference,
                     const oci::Digest& digest) {
    auto fd = store.open_blob(reference.repository, digest);
    if (!fd)
      fail(Fault::not_found, "failed to copy: the blob {} of {} is not in the registry",
           digest.str(), reference.str());
    return std::move(*fd);
  }

  static std::string blob_text(oci::RegistryStore& store, const oci::Reference& reference,
                               const oci::Digest& digest) {
    return os::read_all(blob(store, reference, digest).get());
  }

  // From the cache when builds or earlier pulls have left the layers there; else out of the registry's blobs.
  std::vector<std::filesystem::path> unpacked(oci::RegistryStore& store,
                                              const oci::Reference& reference,
                                              const oci::Manifest& manifest,
                                              const oci::ImageConfig& config,
                                              const std::stop_token& stop) {
    if (auto ready = layers_.find(config.diff_ids)) return *ready;
    std::vector<oci::Digest> below;
    for (std::size_t i = 0; i < config.diff_ids.size() && i < manifest.layers.size(); ++i) {
      if (!layers_.find(below, config.diff_ids[i])) {
        layers_.unpack_one(
            below, config.diff_ids[i],
            [&]() -> std::unique_ptr<formats::Reader> {
              return std::make_unique<BlobTar>(blob(store, reference, manifest.layers[i].digest));
            },
            stop);
      }
      below.push_back(config.diff_ids[i]);
    }
    auto ready = layers_.find(config.diff_ids);
    if (!ready)
      fail(Fault::bad_input,
           "the image {} has another number of layers than its configuration says",
           reference.str());
    return *ready;
  }

  TaskImage pull_from_elsewhere(const oci::Reference& reference, const Scope&,
                                const std::stop_token& stop) {
    auto lease = store_.lease();
    std::string name = reference.digest ? reference.digest->str() : reference.str();
    auto found = oci::find_image(store_, name, oci::Platform::host());
    if (!found) {
      oci::RegistryClient client({.credentials = oci::docker_config_credentials()}, around_.log);
      client.pull(reference, store_, {.unpack_into = &layers_}, stop);
      found = oci::find_image(store_, reference.str(), oci::Platform::host());
    }
    if (!found)
      fail(Fault::not_found, "failed to resolve ref {0}: {0}: not found", reference.str());
    TaskImage image{
        .digest = found->descriptor.digest.str(), .layers = {}, .config = found->config};
    image.layers = layers_.unpack(found->manifest, found->config, store_, stop);
    return image;
  }

  Surroundings around_;
  ecr::Upstreams upstreams_;
  oci::BlobStore store_;
  oci::LayerCache layers_;
};

}  // namespace

std::unique_ptr<Images> make_images(const Surroundings& around) {
  return std::make_unique<CloudImages>(around);
}

}  // namespace slipway::cloud::ecs
