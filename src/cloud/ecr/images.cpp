// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/images.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecr/repository.hpp"
#include "cloud/input.hpp"
#include "formats/io.hpp"

namespace slipway::cloud::ecr {
namespace {

constexpr std::string_view kBad = "InvalidParameterException";

struct ImageId {
  std::string digest;
  std::string tag;
};

std::vector<ImageId> read_image_ids(const Input& in) {
  std::vector<ImageId> ids;
  for (const auto& each : in.items("imageIds")) {
    ids.push_back({each.get_string("imageDigest"), each.get_string("imageTag")});
  }
  return ids;
}

Json id_json(const ImageId& id) {
  Json answer = Json::object({});
  if (!id.digest.empty()) answer["imageDigest"] = id.digest;
  if (!id.tag.empty()) answer["imageTag"] = id.tag;
  return answer;
}

Json failure(const ImageId& id, std::string_view code, std::string_view reason) {
  return Json::object({{"imageId", id_json(id)}, {"failureCode", code}, {"failureReason", reason}});
}

// The manifest that an id names; with both a digest and a tag they must agree.
std::optional<oci::StoredManifest> find_manifest(oci::RegistryStore& store,
                                                 const std::string& repository, const ImageId& id) {
  if (!id.tag.empty()) {
    auto manifest = store.manifest(repository, id.tag);
    if (manifest && !id.digest.empty() && manifest->digest.str() != id.digest) return std::nullopt;
    return manifest;
  }
  return oci::Digest::try_parse(id.digest) ? store.manifest(repository, id.digest) : std::nullopt;
}

Json failure_of(const ImageId& id) {
  if (!id.digest.empty() && !oci::Digest::try_parse(id.digest)) {
    return failure(id, "InvalidImageDigest",
                   "Invalid request parameters: image digest should satisfy the regex "
                   "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
  }
  if (id.digest.empty() && id.tag.empty())
    return failure(id, "MissingDigestAndTag",
                   "Invalid request parameters: both tag and digest cannot be null");
  return failure(id, "ImageNotFound", "Requested image not found");
}

std::uint64_t size_of(oci::RegistryStore& store, const std::string& repository,
                      const oci::Digest& digest) {
  auto stored = store.manifest(repository, digest.str());
  if (!stored) return 0;
  auto parsed = oci::parse_manifest_or_index(*stored->bytes, stored->media_type);
  const auto* manifest = std::get_if<oci::Manifest>(&parsed);
  if (manifest == nullptr) return 0;
  auto size = manifest->config.size;
  for (const auto& layer : manifest->layers) size += layer.size;
  return size;
}

std::string artifact_type(oci::RegistryStore& store, const std::string& repository,
                          const oci::RegistryStore::ListedManifest& listed) {
  if (!listed.artifact_type.empty()) return listed.artifact_type;
  auto stored = store.manifest(repository, listed.digest.str());
  if (!stored) return "";
  auto parsed = oci::parse_manifest_or_index(*stored->bytes, stored->media_type);
  const auto* manifest = std::get_if<oci::Manifest>(&parsed);
  return manifest == nullptr ? "" : manifest->config.media_type;
}

Json detail_json(oci::RegistryStore& store, const Call& call, const std::string& repository,
                 const oci::RegistryStore::ListedManifest& listed) {
  Json detail = Json::object({{"registryId", call.account},
                              {"repositoryName", repository},
                              {"imageDigest", listed.digest.str()}});
  if (!listed.tags.empty()) {
    Json tags = Json::array({});
    for (const auto& tag : listed.tags) tags.push_back(tag);
    detail["imageTags"] = std::move(tags);
  }
  if (auto size = size_of(store, repository, listed.digest); size > 0)
    detail["imageSizeInBytes"] = size;
  detail["imagePushedAt"] = formats::epoch_seconds(listed.pushed);
  detail["imageManifestMediaType"] = listed.media_type;
  if (auto type = artifact_type(store, repository, listed); !type.empty())
    detail["artifactMediaType"] = type;
  return detail;
}

bool passes(const std::string& filter, bool is_tagged) {
  return filter.empty() || filter == "ANY" || (filter == "TAGGED") == is_tagged;
}

std::string tag_filter(const Call& call) {
  const auto* filter = call.input.find("filter");
  return filter == nullptr || !filter->is_object() ? "" : filter->get_string("tagStatus");
}

// A page of `items` under `key`, by nextToken and maxResults.
Json page(const Input& in, std::string_view key, const std::vector<Json>& items) {
  auto size = in.page_size("maxResults", 100, 1000);
  std::size_t start = 0;
  if (auto token = in.optional_text("nextToken")) {
    auto position = read_page_token(*token);
    auto number = position ? to_integer(*position) : std::nullopt;
    if (!number || *number < 0)
      in.refuse(
          "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be a token of a "
          "former answer'");
    start = static_cast<std::size_t>(*number);
  }
  Json list = Json::array({});
  auto end = std::min(items.size(), start + size);
  for (auto i = start; i < end; ++i) list.push_back(items[i]);
  Json answer = Json::object({});
  answer[key] = std::move(list);
  if (end < items.size()) answer["nextToken"] = page_token(std::to_string(end));
  return answer;
}

// Runs `work`, turning the registry's words for refusing into the API's.
template <typename Work>
auto translated(const std::string& repository, const Call& call, Work&& work) {
  try {
    return work();
  } catch (const oci::RegistryRefusal& refusal) {
    if (refusal.code() == "NAME_UNKNOWN")
      throw Refusal("RepositoryNotFoundException", no_repository(repository, call.account));
    if (refusal.code() == "BLOB_UPLOAD_UNKNOWN")
      throw Refusal("UploadNotFoundException", refusal.message());
    if (refusal.code() == "BLOB_UPLOAD_INVALID")
      throw Refusal("InvalidLayerPartException", refusal.message());
    if (refusal.code() == "DIGEST_INVALID")
      throw Refusal("InvalidLayerException", refusal.message());
    if (refusal.code() == "MANIFEST_BLOB_UNKNOWN")
      throw Refusal("LayersNotFoundException", refusal.message());
    throw Refusal(std::string(kBad), refusal.message());
  }
}

bool is_child_of_index(oci::RegistryStore& store, const std::string& repository,
                       const oci::Digest& digest) {
  for (const auto& listed : store.manifests(repository)) {
    if (!oci::is_index_type(listed.media_type)) continue;
    auto stored = store.manifest(repository, listed.digest.str());
    if (!stored) continue;
    auto index = oci::parse_index(*stored->bytes);
    if (std::any_of(index.manifests.begin(), index.manifests.end(),
                    [&](const auto& child) { return child.digest == digest; }))
      return true;
  }
  return false;
}

}  // namespace

Json describe_images(oci::RegistryStore& store, const Call& call, const std::string& repository) {
  Input in(call.input, kBad);
  auto ids = read_image_ids(in);
  auto filter = tag_filter(call);
  auto manifests = store.manifests(repository);
  std::vector<Json> details;
  for (const auto& id : ids) {
    auto found = find_manifest(store, repository, id);
    if (!found) {
      throw Refusal(
          "ImageNotFoundException",
          fmt::format("The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist "
                      "within the repository with name '{}' in the registry with id '{}'",
                      id.digest.empty() ? "null" : id.digest, id.tag.empty() ? "null" : id.tag,
                      repository, call.account));
    }
    auto listed = std::find_if(manifests.begin(), manifests.end(),
                               [&](const auto& each) { return each.digest == found->digest; });
    if (listed != manifests.end()) details.push_back(detail_json(store, call, repository, *listed));
  }
  if (ids.empty()) {
    for (const auto& listed : manifests) {
      if (passes(filter, !listed.tags.empty()))
        details.push_back(detail_json(store, call, repository, listed));
    }
  }
  return page(in, "imageDetails", details);
}

Json list_images(oci::RegistryStore& store, const Call& call, const std::string& repository) {
  auto filter = tag_filter(call);
  std::vector<Json> ids;
  for (const auto& listed : store.manifests(repository)) {
    if (!passes(filter, !listed.tags.empty())) continue;
    for (const auto& tag : listed.tags) ids.push_back(id_json({listed.digest.str(), tag}));
    if (listed.tags.empty()) ids.push_back(id_json({listed.digest.str(), ""}));
  }
  return page(Input(call.input, kBad), "imageIds", ids);
}

Json batch_get_image(oci::RegistryStore& store, const Call& call, const std::string& repository) {
  Input in(call.input, kBad);
  Json images = Json::array({});
  Json failures = Json::array({});
  for (const auto& id : read_image_ids(in)) {
    auto found = find_manifest(store, repository, id);
    if (!found) {
      failures.push_back(failure_of(id));
      continue;
    }
    images.push_back(Json::object({{"registryId", call.account},
                                   {"repositoryName", repository},
                                   {"imageId", id_json({found->digest.str(), id.tag})},
                                   {"imageManifest", *found->bytes},
                                   {"imageManifestMediaType", found->media_type}}));
  }
  return Json::object({{"images", std::move(images)}, {"failures", std::move(failures)}});
}

Json batch_delete_image(oci::RegistryStore& store, const Call& call,
                        const std::string& repository) {
  Input in(call.input, kBad);
  Json deleted = Json::array({});
  Json failures = Json::array({});
  for (const auto& id : read_image_ids(in)) {
    auto found = find_manifest(store, repository, id);
    if (!found) {
      failures.push_back(failure_of(id));
      continue;
    }
    auto tags = store.tags_of(repository, found->digest);
    bool only_tag = !id.tag.empty() && id.digest.empty() && tags.size() > 1;
    if (only_tag) {
      store.delete_tag(repository, id.tag);
      deleted.push_back(id_json({found->digest.str(), id.tag}));
      continue;
    }
    if (is_child_of_index(store, repository, found->digest)) {
      failures.push_back(failure(id, "ImageReferencedByManifestList",
                                 "Requested image referenced by manifest list"));
      continue;
    }
    store.delete_manifest(repository, found->digest);
    for (const auto& tag : tags) deleted.push_back(id_json({found->digest.str(), tag}));
    if (tags.empty()) deleted.push_back(id_json({found->digest.str(), ""}));
  }
  return Json::object({{"imageIds", std::move(deleted)}, {"failures", std::move(failures)}});
}

Json put_image(oci::RegistryStore& store, const Call& call, const std::string& repository,
               const Json& stored) {
  Input in(call.input, kBad);
  auto bytes = in.text("imageManifest");
  auto tag = in.text_or("imageTag");
  auto digest = oci::Digest::of(bytes);
  if (auto wanted = in.optional_text("imageDigest"); wanted && *wanted != digest.str()) {
    throw Refusal("ImageDigestDoesNotMatchException",
                  "The specified image digest does not match the digest that Amazon ECR calculated "
                  "for the image.");
  }
  auto existing =
      tag.empty() ? store.manifest(repository, digest.str()) : store.manifest(repository, tag);
  if (existing && existing->digest == digest) {
    throw Refusal("ImageAlreadyExistsException",
                  fmt::format("Image with digest '{}' and tag '{}' already exists in the "
                              "repository with name '{}' in registry with id '{}'",
                              digest, tag.empty() ? "null" : tag, repository, call.account));
  }
  if (existing && is_tag_immutable(stored, tag)) {
    throw Refusal("ImageTagAlreadyExistsException",
                  fmt::format("The image tag '{}' already exists in the '{}' repository and cannot "
                              "be overwritten because the tag is immutable.",
                              tag, repository));
  }
  return translated(repository, call, [&] {
    oci::ManifestPush push;
    push.repository = repository;
    push.tag = tag;
    if (tag.empty()) push.digest = digest;
    push.media_type = in.text_or("imageManifestMediaType");
    push.bytes = bytes;
    auto pushed = store.put_manifest(push);
    auto kept = store.manifest(repository, pushed.digest.str());
    return Json::object(
        {{"image", Json::object({{"registryId", call.account},
                                 {"repositoryName", repository},
                                 {"imageId", id_json({pushed.digest.str(), tag})},
                                 {"imageManifest", bytes},
                                 {"imageManifestMediaType", kept ? kept->media_type : ""}})}});
  });
}

Json initiate_layer_upload(oci::RegistryStore& store, const Call& call,
                           const std::string& repository) {
  return translated(repository, call, [&] {
    return Json::object({{"uploadId", store.begin_upload(repository)}, {"partSize", 10'485'760}});
  });
}

Json upload_layer_part(oci::RegistryStore& store, const Call& call, const std::string& repository) {
  Input in(call.input, kBad);
  auto id = in.text("uploadId");
  auto first = in.integer_or("partFirstByte", 0);
  auto bytes = unbase64(in.text("layerPartBlob"));
  if (!bytes) in.refuse("'layerPartBlob' is not base64");
  return translated(repository, call, [&] {
    formats::MemoryReader body(*bytes);
    auto status = store.append_upload(repository, id, body, static_cast<std::uint64_t>(first));
    return Json::object({{"registryId", call.account},
                         {"repositoryName", repository},
                         {"uploadId", id},
                         {"lastByteReceived", status.size - 1}});
  });
}

Json complete_layer_upload(oci::RegistryStore& store, const Call& call,
                           const std::string& repository) {
  Input in(call.input, kBad);
  auto id = in.text("uploadId");
  auto digests = in.texts("layerDigests");
  auto digest = digests.size() == 1 ? oci::Digest::try_parse(digests[0]) : std::nullopt;
  if (!digest) in.refuse("'layerDigests' must hold one digest");
  return translated(repository, call, [&] {
    if (store.blob_size(repository, *digest)) {
      throw Refusal("LayerAlreadyExistsException",
                    fmt::format("Layer with digest '{}' already exists in the repository with name "
                                "'{}' in registry with id '{}'",
                                *digest, repository, call.account));
    }
    store.finish_upload(repository, id, *digest);
    return Json::object({{"registryId", call.account},
                         {"repositoryName", repository},
                         {"uploadId", id},
                         {"layerDigest", digest->str()}});
  });
}

Json batch_check_layer_availability(oci::RegistryStore& store, const Call& call,
                                    const std::string& repository) {
  Json layers = Json::array({});
  Json failures = Json::array({});
  for (const auto& text : Input(call.input, kBad).texts("layerDigests")) {
    auto digest = oci::Digest::try_parse(text);
    if (!digest) {
      failures.push_back(Json::object({{"layerDigest", text},
                                       {"failureCode", "InvalidLayerDigest"},
                                       {"failureReason", "Invalid layer digest"}}));
      continue;
    }
    auto size = store.blob_size(repository, *digest);
    Json layer = Json::object(
        {{"layerDigest", text}, {"layerAvailability", size ? "AVAILABLE" : "UNAVAILABLE"}});
    if (size) layer["layerSize"] = *size;
    layers.push_back(std::move(layer));
  }
  return Json::object({{"layers", std::move(layers)}, {"failures", std::move(failures)}});
}

std::vector<LifecycleImage> lifecycle_images(const oci::RegistryStore& store,
                                             const std::string& repository) {
  auto manifests = store.manifests(repository);
  std::map<std::string, std::vector<std::string>> parents;
  for (const auto& listed : manifests) {
    auto stored = oci::is_index_type(listed.media_type)
                      ? store.manifest(repository, listed.digest.str())
                      : std::nullopt;
    if (!stored) continue;
    for (const auto& child : oci::parse_index(*stored->bytes).manifests)
      parents[child.digest.str()].push_back(listed.digest.str());
  }
  std::vector<LifecycleImage> images;
  for (const auto& listed : manifests)
    images.push_back(
        {listed.digest.str(), listed.tags, listed.pushed, parents[listed.digest.str()]});
  return images;
}

}  // namespace slipway::cloud::ecr
