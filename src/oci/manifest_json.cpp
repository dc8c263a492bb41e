// SPDX-License-Identifier: Apache-2.0
#include "oci/manifest_json.hpp"

#include "base/error.hpp"

namespace slipway::oci {
namespace {

using formats::Json;

constexpr std::size_t kMostDescriptors =
    100'000;  // of one manifest: far above any image, far below what hurts

template <typename Read>
auto in_manifest_field(std::string_view name, Read&& read) {
  return while_doing(fmt::format("'{}'", name), std::forward<Read>(read));
}

Annotations string_map(const Json& json, std::string_view key) {
  Annotations map;
  const Json* value = json.find(key);
  if (!value || value->is_null()) return map;
  in_manifest_field(key, [&] {
    for (const auto& [name, text] : value->as_object()) map[name] = text.as_string();
  });
  return map;
}

std::vector<std::string> string_list(const Json& json, std::string_view key) {
  std::vector<std::string> list;
  in_manifest_field(key, [&] {
    for (const Json& item : json.get_array(key)) list.push_back(item.as_string());
  });
  return list;
}

Json to_json(const Annotations& map) {
  Json json = Json::object();
  for (const auto& [name, text] : map) json[name] = text;
  return json;
}

Json to_json(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& item : list) json.push_back(item);
  return json;
}

std::vector<Descriptor> descriptors(const Json& json, std::string_view key) {
  const Json* list = json.find(key);
  if (!list || list->is_null()) return {};
  std::vector<Descriptor> result;
  in_manifest_field(key, [&] {
    const Json::Array& items = list->as_array();
    if (items.size() > kMostDescriptors)
      fail(Fault::bad_input, "has {} entries, too many", items.size());
    for (const Json& item : items) result.push_back(descriptor_from(item));
  });
  return result;
}

// What manifest and index have in common.
template <typename Document>
Json read_common(std::string_view bytes, Document& document) {
  Json json = formats::parse_json(bytes);
  if (!json.is_object())
    fail(Fault::bad_input, "a manifest must be a JSON object, not {}", json.kind_name());
  if (json.get_int("schemaVersion") != 2) fail(Fault::bad_input, "'schemaVersion' must be 2");
  if (json.contains("mediaType")) document.media_type = json.get_string("mediaType");
  document.artifact_type = json.get_string("artifactType");
  document.annotations = string_map(json, "annotations");
  if (const Json* subject = json.find("subject"); subject && !subject->is_null()) {
    document.subject = in_manifest_field("subject", [&] { return descriptor_from(*subject); });
  }
  return json;
}

template <typename Document>
Json print_head(const Document& document) {
  Json json = Json::object({{"schemaVersion", 2}});
  if (!document.media_type.empty()) json["mediaType"] = document.media_type;
  if (!document.artifact_type.empty()) json["artifactType"] = document.artifact_type;
  return json;
}

template <typename Document>
std::string print_tail(Json json, const Document& document) {
  if (document.subject) json["subject"] = to_json(*document.subject);
  if (!document.annotations.empty()) json["annotations"] = to_json(document.annotations);
  return json.dump();
}

Platform platform_from(const Json& json) {
  Platform platform;
  platform.os = json.get_string("os");
  platform.architecture = json.get_string("architecture");
  platform.variant = json.get_string("variant");
  platform.os_version = json.get_string("os.version");
  return platform;
}

}  // namespace

Json to_json(const Platform& platform) {
  Json json = Json::object({{"architecture", platform.architecture}, {"os", platform.os}});
  if (!platform.os_version.empty()) json["os.version"] = platform.os_version;
  if (!platform.variant.empty()) json["variant"] = platform.variant;
  return json;
}

Json to_json(const Descriptor& descriptor) {
  Json json = Json::object({{"mediaType", descriptor.media_type},
                            {"digest", descriptor.digest.str()},
                            {"size", descriptor.size}});
  if (!descriptor.urls.empty()) json["urls"] = to_json(descriptor.urls);
  if (!descriptor.annotations.empty()) json["annotations"] = to_json(descriptor.annotations);
  if (descriptor.platform) json["platform"] = to_json(*descriptor.platform);
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  return json;
}

Descriptor descriptor_from(const Json& json) {
  if (!json.is_object())
    fail(Fault::bad_input, "a descriptor must be an object, not {}", json.kind_name());
  Descriptor descriptor;
  descriptor.media_type = json.get_string("mediaType");
  descriptor.digest = Digest::parse(json.at("digest").as_string());
  std::int64_t size = in_manifest_field("size", [&] { return json.at("size").as_int(); });
  if (size < 0) fail(Fault::bad_input, "'size' is negative");
  descriptor.size = static_cast<std::uint64_t>(size);
  descriptor.urls = string_list(json, "urls");
  descriptor.annotations = string_map(json, "annotations");
  if (const Json* platform = json.find("platform"); platform && platform->is_object()) {
    descriptor.platform = platform_from(*platform);
  }
  descriptor.artifact_type = json.get_string("artifactType");
  return descriptor;
}

Manifest parse_manifest(std::string_view bytes) {
  Manifest manifest;
  Json json = read_common(bytes, manifest);
  const Json* config = json.find("config");
  if (!config) fail(Fault::bad_input, "missing 'config'");
  manifest.config = in_manifest_field("config", [&] { return descriptor_from(*config); });
  manifest.layers = descriptors(json, "layers");
  return manifest;
}

Index parse_index(std::string_view bytes) {
  Index index;
  Json json = read_common(bytes, index);
  if (!json.contains("manifests")) fail(Fault::bad_input, "missing 'manifests'");
  index.manifests = descriptors(json, "manifests");
  return index;
}

std::string print(const Manifest& manifest) {
  Json json = print_head(manifest);
  json["config"] = to_json(manifest.config);
  json["layers"] = Json::array();
  for (const Descriptor& layer : manifest.layers) json["layers"].push_back(to_json(layer));
  return print_tail(std::move(json), manifest);
}

std::string print(const Index& index) {
  Json json = print_head(index);
  json["manifests"] = Json::array();
  for (const Descriptor& entry : index.manifests) json["manifests"].push_back(to_json(entry));
  return print_tail(std::move(json), index);
}

}  // namespace slipway::oci
