// SPDX-License-Identifier: Apache-2.0
#include "oci/signature.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::oci {
namespace {

using formats::Json;

constexpr std::string_view kPayloadType = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr const char* kSignature = "dev.cosignproject.cosign/signature";
constexpr std::string_view kKind = "cosign container image signature";
constexpr std::uint64_t kLongestPayload = 1u << 20;

Reference signature_tag(const Reference& image, const Digest& digest) {
  return {image.host, image.repository, replace_all(digest.str(), ":", "-") + ".sig", std::nullopt};
}

std::string repository_name(const Reference& image) {
  return (image.host == "docker.io" ? "index.docker.io" : image.host) + "/" + image.repository;
}

Digest digest_in_registry(RegistryClient& client, const Reference& image,
                          const std::stop_token& stop) {
  if (image.digest) return *image.digest;
  auto found = client.resolve(image, stop);
  if (!found) fail(Fault::not_found, "no such image");
  return found->digest;
}

std::optional<Manifest> signatures_of(RegistryClient& client, const Reference& image,
                                      const Digest& digest, const std::stop_token& stop) {
  auto found = client.manifest(signature_tag(image, digest), stop);
  if (!found) return std::nullopt;
  if (!is_manifest_type(found->descriptor.media_type))
    fail(Fault::bad_input, "the signatures' tag leads to an index");
  return parse_manifest(found->bytes);
}

// The payloads of `digest` that `key` has signed.
std::vector<std::string> good_payloads(RegistryClient& client, const Reference& image,
                                       const Digest& digest, const Manifest& signatures,
                                       const formats::Pkey& key, const std::stop_token& stop) {
  std::vector<std::string> good;
  for (const Descriptor& layer : signatures.layers) {
    auto annotation = layer.annotations.find(kSignature);
    if (layer.media_type != kPayloadType || layer.size > kLongestPayload ||
        annotation == layer.annotations.end())
      continue;
    auto signature = unbase64(annotation->second);
    if (!signature) continue;
    formats::StringWriter payload;
    client.fetch_blob(image, layer, payload, stop);
    // The signature first: nothing else of the payload is to be believed before.
    if (!formats::verify_with(key, payload.text(), *signature)) continue;
    if (signed_digest(payload.text()) == digest) good.push_back(payload.take());
  }
  return good;
}

// What cosign's signature images have for a configuration.
std::string config_of(const Manifest& signatures) {
  constexpr const char* kNoTime = "0001-01-01T00:00:00Z";
  Json diff_ids = Json::array();
  Json history = Json::array();
  for (const Descriptor& layer : signatures.layers) {
    diff_ids.push_back(layer.digest.str());
    history.push_back(Json::object({{"created", kNoTime}}));
  }
  return Json::object({{"architecture", ""},
                       {"config", Json::object()},
                       {"created", kNoTime},
                       {"history", history},
                       {"os", ""},
                       {"rootfs", Json::object({{"type", "layers"}, {"diff_ids", diff_ids}})}})
      .dump();
}

}  // namespace

std::string signature_payload(const std::string& repository, const Digest& digest) {
  return Json::object(
             {{"critical",
               Json::object({{"identity", Json::object({{"docker-reference", repository}})},
                             {"image", Json::object({{"docker-manifest-digest", digest.str()}})},
                             {"type", kKind}})},
              {"optional", nullptr}})
      .dump();
}

std::optional<Digest> signed_digest(std::string_view payload) {
  try {
    const Json json = formats::parse_json(payload, "signature");
    const Json* critical = json.find("critical");
    if (!critical || critical->get_string("type") != kKind) return std::nullopt;
    const Json* image = critical->find("image");
    return image ? Digest::try_parse(image->get_string("docker-manifest-digest")) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

Digest sign_image(RegistryClient& client, BlobStore& store, const Reference& image,
                  const formats::Pkey& key, const std::stop_token& stop) {
  return while_doing(fmt::format("signing {}", image.familiar()), [&] {
    Digest digest = digest_in_registry(client, image, stop);
    Manifest signatures = signatures_of(client, image, digest, stop).value_or(Manifest{});
    if (!good_payloads(client, image, digest, signatures, key, stop).empty()) return digest;
    auto lease = store.lease();
    std::string payload = signature_payload(repository_name(image), digest);
    Descriptor layer = store.put(payload, kPayloadType);
    client.push_blob(image, layer, store, {}, stop);
    layer.annotations[kSignature] = base64(formats::sign_with(key, payload));
    signatures.layers.push_back(std::move(layer));
    signatures.config = store.put(config_of(signatures), media_type::kConfig);
    client.push_blob(image, signatures.config, store, {}, stop);
    client.put_manifest(signature_tag(image, digest), media_type::kManifest, print(signatures),
                        stop);
    return digest;
  });
}

SignedImage verify_image(RegistryClient& client, const Reference& image, const formats::Pkey& key,
                         const std::stop_token& stop) {
  return while_doing(fmt::format("verifying {}", image.familiar()), [&] {
    Digest digest = digest_in_registry(client, image, stop);
    auto signatures = signatures_of(client, image, digest, stop);
    if (!signatures) fail(Fault::not_found, "{} has no signatures", digest);
    auto payloads = good_payloads(client, image, digest, *signatures, key, stop);
    if (payloads.empty())
      fail(Fault::denied, "{} has {} signature{}, none of it with this key", digest,
           signatures->layers.size(), signatures->layers.size() == 1 ? "" : "s");
    return SignedImage{digest, std::move(payloads)};
  });
}

}  // namespace slipway::oci
