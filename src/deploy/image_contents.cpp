// SPDX-License-Identifier: Apache-2.0
#include "deploy/image_contents.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

constexpr const char* kSpdxPredicate = "https://spdx.dev/Document";
constexpr std::int64_t kMostSbomBytes = 64 << 20;
constexpr std::size_t kMostLines = 20;

// "pkg:deb/debian/openssl@3.0.11-1?arch=amd64" → "deb/openssl". A distribution's name says nothing here; a scope, a group or a
// path belongs to the name. Empty when it is no package URL.
//   source  package-url/purl-spec, "Rules for each purl component"
std::string name_of_purl(std::string_view purl) {
  if (!purl.starts_with("pkg:")) return "";
  purl.remove_prefix(4);
  purl = purl.substr(0, purl.find_first_of("?#"));
  auto slash = purl.find('/');
  if (slash == std::string_view::npos) return "";
  std::string_view type = purl.substr(0, slash);
  std::string_view name = purl.substr(slash + 1);
  if (auto at = name.rfind('@'); at != std::string_view::npos && at > 0) name = name.substr(0, at);
  bool is_distribution = type == "deb" || type == "apk" || type == "rpm" || type == "alpm";
  if (auto last = name.rfind('/'); is_distribution && last != std::string_view::npos)
    name = name.substr(last + 1);
  return fmt::format("{}/{}", type, replace_all(std::string(name), "%40", "@"));
}

std::string name_of(const Json& package) {
  for (const auto& reference : package.get_array("externalRefs")) {
    if (!reference.is_object() || reference.get_string("referenceType") != "purl") continue;
    auto name = name_of_purl(reference.get_string("referenceLocator"));
    if (!name.empty()) return name;
  }
  return package.get_string("name");
}

std::optional<Json> manifest_of(Calls& calls, const EcrImage& image, const Json& id,
                                const std::string& reference, const std::stop_token& stop) {
  auto answer = calls.call("ecr", "BatchGetImage",
                           Json::object({{"registryId", image.account},
                                         {"repositoryName", image.repository},
                                         {"imageIds", Json::array({id})}}),
                           stop);
  if (!answer.ok() || answer.value().get_array("images").empty()) return std::nullopt;
  return formats::parse_json(answer.value().get_array("images").front().get_string("imageManifest"),
                             reference);
}

Json by_digest(const std::string& digest) { return Json::object({{"imageDigest", digest}}); }

std::string annotation(const Json& descriptor, const char* name) {
  const Json* annotations = descriptor.find("annotations");
  return annotations ? annotations->get_string(name) : "";
}

bool is_attestation(const Json& descriptor) {
  return annotation(descriptor, "vnd.docker.reference.type") == "attestation-manifest";
}

// The first SBOM among an attestation manifest's layers.
std::optional<Packages> packages_in(const Json& manifest, const EcrImage& image,
                                    const BlobReader& blobs) {
  for (const auto& layer : manifest.get_array("layers")) {
    if (annotation(layer, "in-toto.io/predicate-type") != kSpdxPredicate) continue;
    if (layer.get_int("size") > kMostSbomBytes) continue;
    auto text = blobs(image, layer.get_string("digest"), layer.get_int("size"));
    if (auto packages = text ? packages_of_sbom(*text) : std::nullopt) return packages;
  }
  return std::nullopt;
}

std::string versions(const std::set<std::string>& all) {
  return fmt::format("{}", fmt::join(all, ", "));
}

void describe_layers(Change& change, const ImageContents& before, const ImageContents& after) {
  if (before.layers.empty() || after.layers.empty()) return;
  Json fresh = Json::array();
  std::int64_t bytes = 0;
  for (const auto& [digest, size] : after.layers) {
    if (before.layers.contains(digest)) continue;
    fresh.push_back(Json::object({{"digest", digest}, {"size", size}}));
    bytes += size;
  }
  change.notes.push_back(fmt::format("{} of {} layers are new, {:.1f} MB", fresh.size(),
                                     after.layers.size(), static_cast<double>(bytes) / 1e6));
  change.details["layers"] =
      Json::object({{"count", after.layers.size()}, {"bytes", bytes}, {"new", std::move(fresh)}});
}

void describe_packages(Change& change, const ImageContents& before, const ImageContents& after) {
  if (!before.packages && !after.packages) return;
  if (!before.packages || !after.packages) {
    change.notes.push_back(fmt::format("its packages cannot be compared: the image {} has no SBOM",
                                       before.packages ? "to come" : "that runs"));
    return;
  }
  std::set<std::string> names;
  for (const auto* side : {&*before.packages, &*after.packages}) {
    for (const auto& [name, all] : *side) names.insert(name);
  }
  static const std::set<std::string> kNone;
  auto of = [](const Packages& packages, const std::string& name) -> const std::set<std::string>& {
    auto it = packages.find(name);
    return it == packages.end() ? kNone : it->second;
  };
  Json list = Json::array();
  std::vector<std::string> lines;
  for (const auto& name : names) {
    const auto& was = of(*before.packages, name);
    const auto& will = of(*after.packages, name);
    if (was == will) continue;
    Json item = Json::object({{"package", name}});
    if (!was.empty()) item["before"] = versions(was);
    if (!will.empty()) item["after"] = versions(will);
    list.push_back(std::move(item));
    lines.push_back(was.empty() ? fmt::format("  + {} {}", name, versions(will))
                    : will.empty()
                        ? fmt::format("  - {} {}", name, versions(was))
                        : fmt::format("  ~ {} {} → {}", name, versions(was), versions(will)));
  }
  change.notes.push_back(lines.empty()
                             ? fmt::format("the same {} packages", after.packages->size())
                             : fmt::format("{} of {} packages differ", lines.size(), names.size()));
  for (std::size_t at = 0; at < lines.size() && at < kMostLines; ++at)
    change.notes.push_back(lines[at]);
  if (lines.size() > kMostLines)
    change.notes.push_back(fmt::format("  and {} more: --json has all", lines.size() - kMostLines));
  change.details["packages"] = std::move(list);
}

}  // namespace

std::optional<Packages> packages_of_sbom(std::string_view text) {
  try {
    Json whole = formats::parse_json(text, "SBOM");
    const Json* predicate = whole.find("predicate");
    const Json& document = predicate ? *predicate : whole;
    if (!document.get_string("spdxVersion").starts_with("SPDX-2")) return std::nullopt;
    Packages packages;
    for (const auto& package : document.get_array("packages")) {
      std::string name = name_of(package);
      std::string version = package.get_string("versionInfo");
      if (!name.empty() && !version.empty()) packages[name].insert(version);
    }
    return packages;
  } catch (const Error&) {
    return std::nullopt;
  }
}

ImageContents contents_of(Calls& calls, const std::string& reference, const BlobReader& blobs,
                          const std::stop_token& stop) {
  ImageContents contents;
  auto image = parse_ecr_image(reference);
  if (!image) return contents;
  auto manifest =
      manifest_of(calls, *image,
                  image->digest.empty()
                      ? Json::object({{"imageTag", image->tag.empty() ? "latest" : image->tag}})
                      : by_digest(image->digest),
                  reference, stop);
  if (!manifest) return contents;
  std::string first;
  std::string attestation;
  for (const auto& descriptor : manifest->get_array("manifests")) {
    if (!is_attestation(descriptor)) {
      if (first.empty()) first = descriptor.get_string("digest");
    } else if (annotation(descriptor, "vnd.docker.reference.digest") == first) {
      attestation = descriptor.get_string("digest");
    }
  }
  if (!first.empty()) manifest = manifest_of(calls, *image, by_digest(first), reference, stop);
  if (!manifest) return contents;
  for (const auto& layer : manifest->get_array("layers"))
    contents.layers[layer.get_string("digest")] = layer.get_int("size");
  if (attestation.empty() || !blobs) return contents;
  if (auto attested = manifest_of(calls, *image, by_digest(attestation), reference, stop))
    contents.packages = packages_in(*attested, *image, blobs);
  return contents;
}

void describe_change(Change& change, const ImageContents& before, const ImageContents& after) {
  describe_layers(change, before, after);
  describe_packages(change, before, after);
}

}  // namespace slipway::deploy
