// SPDX-License-Identifier: Apache-2.0
#include "cli/attestation.hpp"

#include "actions/image_blobs.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/registry_access.hpp"
#include "deploy/ecr_image.hpp"
#include "oci/blob_store.hpp"
#include "oci/manifest.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

constexpr std::string_view kEnvelope = "application/vnd.dsse.envelope.v1+json";
constexpr std::string_view kStatement = "application/vnd.in-toto+json";

// ECR's own token, from the credentials that the deployment is made with.
oci::CredentialProvider ecr_credentials(deploy::Calls& calls, const std::stop_token& stop) {
  return [&calls, stop](const std::string&) -> std::optional<oci::Credentials> {
    const auto answer = calls.call("ecr", "GetAuthorizationToken", Json::object(), stop);
    const auto& data = answer.value().get_array("authorizationData");
    if (data.empty()) return std::nullopt;
    auto token = unbase64(data.front().get_string("authorizationToken")).value_or("");
    auto colon = token.find(':');
    if (colon == std::string::npos) return std::nullopt;
    return oci::Credentials{token.substr(0, colon), token.substr(colon + 1), ""};
  };
}

std::unique_ptr<oci::RegistryClient> ecr_client(const Surroundings& around, deploy::Calls& calls) {
  oci::RegistryClientOptions options;
  options.credentials = ecr_credentials(calls, around.stop);
  options.endpoints = registry_endpoints(around.state);
  return std::make_unique<oci::RegistryClient>(std::move(options), around.log);
}

void push(oci::RegistryClient& client, oci::BlobStore& store, const std::string& image,
          const std::string& digest, const std::string& envelope, const std::stop_token& stop) {
  auto reference = oci::Reference::parse(image);
  reference.tag.clear();
  reference.digest = oci::Digest::parse(digest);
  auto subject = client.resolve(reference, stop);
  if (!subject) fail(Fault::not_found, "no such image");
  auto guard = store.lease();
  oci::Manifest manifest{
      .artifact_type = std::string(kStatement),
      .config = store.put("{}", oci::media_type::kEmpty),
      .layers = {store.put(envelope, kEnvelope)},
      .subject = oci::Descriptor{
          .media_type = subject->media_type, .digest = subject->digest, .size = subject->size}};
  client.push_blob(reference, manifest.config, store, {}, stop);
  client.push_blob(reference, manifest.layers.front(), store, {}, stop);
  std::string bytes = oci::print(manifest);
  reference.digest = oci::Digest::of(bytes);
  client.put_manifest(reference, oci::media_type::kManifest, bytes, stop);
}

}  // namespace

void publish_attestation(const Surroundings& around, deploy::Calls& calls,
                         const deploy::Candidate& candidate, const std::string& name,
                         const Json& envelope) {
  auto file = around.state / "attestations" / (name + ".dsse.json");
  os::make_dirs(file.parent_path());
  os::write_file(file, envelope.dump() + "\n");
  auto client = ecr_client(around, calls);
  oci::BlobStore store(around.state / "images");
  for (const auto& image : candidate.images) {
    if (!deploy::parse_ecr_image(image.reference) || image.digest.empty()) continue;
    try {
      push(*client, store, image.reference, image.digest, envelope.dump(), around.stop);
    } catch (const Error& error) {
      print_error(fmt::format("slipway: the attestation is only in {}, not beside {}: {}\n",
                              file.string(), image.reference, error.what()));
    }
  }
}

deploy::BlobReader ecr_blobs(const Surroundings& around, deploy::Calls& calls) {
  return actions::image_blobs(ecr_client(around, calls), around.log, around.stop);
}

}  // namespace slipway::cli
