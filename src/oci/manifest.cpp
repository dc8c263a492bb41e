// SPDX-License-Identifier: Apache-2.0
#include "oci/manifest.hpp"

#include <sys/utsname.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::oci {
namespace {

using formats::Json;

// Docker's own names for what uname and people write. source containerd/platforms, database.go
std::string normal_architecture(std::string_view name, std::string& variant) {
  std::string lower = to_lower(name);
  if (lower == "x86_64" || lower == "x86-64") return "amd64";
  if (lower == "aarch64") return "arm64";
  if (lower == "i386" || lower == "i686") return "386";
  if (lower == "armhf" || lower == "armv7l") {
    variant = "v7";
    return "arm";
  }
  if (lower == "armel") {
    variant = "v6";
    return "arm";
  }
  return lower;
}

std::string usual_variant(const Platform& platform) {
  if (!platform.variant.empty()) return platform.variant;
  if (platform.architecture == "arm64") return "v8";
  if (platform.architecture == "arm") return "v7";
  if (platform.architecture == "amd64") return "v1";
  return "";
}

bool is_attestation(const Descriptor& entry) {
  auto type = entry.annotations.find("vnd.docker.reference.type");
  return type != entry.annotations.end() && type->second == "attestation-manifest";
}

}  // namespace

bool is_index_type(std::string_view type) {
  return type == media_type::kIndex || type == media_type::kDockerList;
}
bool is_manifest_type(std::string_view type) {
  return type == media_type::kManifest || type == media_type::kDockerManifest;
}
bool is_foreign_layer_type(std::string_view type) {
  return type.find(".nondistributable.") != std::string_view::npos ||
         type.find(".foreign.diff.") != std::string_view::npos;
}

Platform Platform::host() {
  utsname name{};
  ::uname(&name);
  Platform platform;
  platform.architecture = normal_architecture(name.machine, platform.variant);
  return platform;
}

Platform Platform::parse(std::string_view text) {
  auto parts = split(text, '/');
  Platform platform;
  if (parts.size() == 1 && text != "linux") parts.insert(parts.begin(), "linux");
  if (parts.size() == 1) return host();
  bool is_known = parts.size() <= 3;
  for (const std::string& part : parts) {
    is_known = is_known && !part.empty() &&
               part.find_first_not_of(
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
                   std::string::npos;
  }
  if (!is_known)
    fail(Fault::bad_input, "'{}' is not a platform: os/architecture[/variant] is expected", text);
  platform.os = to_lower(parts[0]);
  platform.architecture = normal_architecture(parts[1], platform.variant);
  if (parts.size() == 3) platform.variant = to_lower(parts[2]);
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  return platform;
}

std::string Platform::str() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

bool Platform::accepts(const Platform& image) const {
  return os == image.os && architecture == image.architecture &&
         usual_variant(*this) == usual_variant(image) &&
         (os_version.empty() || os_version == image.os_version);
}

std::variant<Manifest, Index> parse_manifest_or_index(std::string_view bytes,
                                                      std::string_view type) {
  Json json = formats::parse_json(bytes);
  if (!json.is_object()) fail(Fault::bad_input, "a manifest must be a JSON object");
  std::string own = json.get_string("mediaType");
  if (!type.empty() && !own.empty() && own != type) {
    fail(Fault::bad_input, "the manifest says it is '{}' but was called '{}'", own, type);
  }
  if (json.contains("fsLayers") || json.get_int("schemaVersion") == 1) {
    fail(Fault::bad_input, "docker schema 1 manifests are not supported");
  }
  bool has_manifests = json.contains("manifests");
  bool has_layers = json.contains("layers") || json.contains("config");
  if (has_manifests &&
      has_layers) {  // GHSA-77vh-xpmg-72qh: must not read as one thing here and as another there
    fail(Fault::bad_input, "a manifest may not have both 'manifests' and 'layers' or 'config'");
  }
  std::string_view known = !own.empty() ? std::string_view(own) : type;
  bool is_index = known.empty() ? has_manifests : is_index_type(known);
  if (!known.empty() && !is_index && !is_manifest_type(known)) {
    fail(Fault::bad_input, "'{}' is no image manifest or index", known);
  }
  if (is_index) {
    Index index = parse_index(bytes);
    if (own.empty() && !type.empty()) index.media_type = type;
    return index;
  }
  Manifest manifest = parse_manifest(bytes);
  if (own.empty() && !type.empty()) manifest.media_type = type;
  return manifest;
}

Descriptor describe(std::string_view bytes, std::string_view media_type) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = Digest::of(bytes);
  descriptor.size = bytes.size();
  return descriptor;
}

const Descriptor* select(const Index& index, const Platform& platform) {
  const Descriptor* found = nullptr;
  for (const Descriptor& entry : index.manifests) {
    if (!entry.platform || is_attestation(entry)) continue;
    if (*entry.platform == platform) return &entry;
    if (!found && platform.accepts(*entry.platform)) found = &entry;
  }
  if (found) return found;
  // An index that names one image without a platform means it for everybody.
  if (index.manifests.size() == 1 && !index.manifests[0].platform) return &index.manifests[0];
  return nullptr;
}

}  // namespace slipway::oci
