// SPDX-License-Identifier: Apache-2.0
#include "image/attest.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "net/url.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

using formats::Json;

constexpr const char* kBuildType = "https://mobyproject.org/buildkit@v1";
constexpr std::string_view kInTotoType = "application/vnd.in-toto+json";

// Paragraphs of "Key: value" lines; continuation lines are left out.
std::vector<std::map<std::string, std::string>> paragraphs(std::string_view text,
                                                           std::string_view between) {
  std::vector<std::map<std::string, std::string>> out(1);
  for (auto line : lines_of(text)) {
    if (trim(line).empty()) {
      if (!out.back().empty()) out.emplace_back();
      continue;
    }
    auto at = line.find(between);
    if (line.front() == ' ' || line.front() == '\t' || at == std::string_view::npos) continue;
    out.back().emplace(std::string(line.substr(0, at)),
                       std::string(trim(line.substr(at + between.size()))));
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

std::string field(const std::map<std::string, std::string>& fields, const char* name) {
  auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

std::optional<Package> npm_package(std::string_view text) {
  try {
    auto json = formats::parse_json(text);
    Package found{
        .type = "npm", .name = json.get_string("name"), .version = json.get_string("version")};
    return found.name.empty() || found.version.empty() ? std::nullopt : std::optional(found);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Package> python_package(std::string_view text) {
  auto head = paragraphs(text.substr(0, text.find("\n\n")), ":");
  if (head.empty()) return std::nullopt;
  Package found{
      .type = "pypi", .name = field(head[0], "Name"), .version = field(head[0], "Version")};
  return found.name.empty() || found.version.empty() ? std::nullopt : std::optional(found);
}

std::string purl(const Package& package) {
  std::string space = package.type == "deb" ? "debian/" : package.type == "apk" ? "alpine/" : "";
  std::string name = package.type == "npm" && package.name.starts_with('@')
                         ? "%40" + package.name.substr(1)
                         : package.name;
  std::string tail = package.architecture.empty() ? "" : "?arch=" + package.architecture;
  return fmt::format("pkg:{}/{}{}@{}{}", package.type, space, name,
                     replace_all(package.version, "+", "%2B"), tail);
}

std::string image_purl(const std::string& name, const std::string& platform) {
  auto image = oci::Reference::parse(name);
  std::string path =
      image.host == "docker.io" ? image.repository : image.host + "/" + image.repository;
  if (path.starts_with("library/")) path = path.substr(8);
  return fmt::format("pkg:docker/{}@{}?platform={}", path, image.tag.empty() ? "latest" : image.tag,
                     net::percent_encode(platform));
}

Json digest_object(const oci::Digest& digest) {
  return Json::object({{std::string(digest.algorithm()), std::string(digest.hex())}});
}

}  // namespace

std::vector<Package> parse_dpkg(std::string_view status) {
  std::vector<Package> out;
  for (const auto& fields : paragraphs(status, ":")) {
    if (!field(fields, "Status").ends_with(" installed")) continue;
    out.push_back(
        {"deb", field(fields, "Package"), field(fields, "Version"), field(fields, "Architecture")});
  }
  return out;
}

std::vector<Package> parse_apk(std::string_view installed) {
  std::vector<Package> out;
  for (const auto& fields : paragraphs(installed, ":")) {
    if (auto name = field(fields, "P"); !name.empty())
      out.push_back({"apk", name, field(fields, "V"), field(fields, "A")});
  }
  return out;
}

std::vector<Package> packages_of(Tree& root, const std::stop_token& stop) {
  constexpr std::size_t kMost = 64u << 20;
  std::vector<Package> all;
  auto add = [&](std::vector<Package> found) { all.insert(all.end(), found.begin(), found.end()); };
  if (auto status = root.read("var/lib/dpkg/status", kMost)) add(parse_dpkg(*status));
  if (auto installed = root.read("lib/apk/db/installed", kMost)) add(parse_apk(*installed));
  for (const auto& [path, node] : root.entries_below("", false)) {
    if (stop.stop_requested()) throw Cancelled();
    bool is_npm =
        path.ends_with("/package.json") && path.find("node_modules/") != std::string::npos;
    bool is_python = path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO");
    if (!node.is_file() || !(is_npm || is_python)) continue;
    auto text = root.read(path);
    if (!text) continue;
    if (auto found = is_npm ? npm_package(*text) : python_package(*text))
      all.push_back(std::move(*found));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Json spdx_document(const std::vector<Package>& packages, const std::string& name,
                   const std::string& created) {
  Json list = Json::array();
  Json relations = Json::array();
  int number = 0;
  for (const auto& package : packages) {
    std::string id = fmt::format("SPDXRef-Package-{}-{}", package.type, ++number);
    Json reference = Json::object({{"referenceCategory", "PACKAGE-MANAGER"},
                                   {"referenceType", "purl"},
                                   {"referenceLocator", purl(package)}});
    list.push_back(Json::object({{"name", package.name},
                                 {"SPDXID", id},
                                 {"versionInfo", package.version},
                                 {"supplier", "NOASSERTION"},
                                 {"downloadLocation", "NOASSERTION"},
                                 {"filesAnalyzed", false},
                                 {"licenseConcluded", "NOASSERTION"},
                                 {"licenseDeclared", "NOASSERTION"},
                                 {"copyrightText", "NOASSERTION"},
                                 {"externalRefs", Json::array({reference})}}));
    relations.push_back(Json::object({{"spdxElementId", "SPDXRef-DOCUMENT"},
                                      {"relatedSpdxElement", id},
                                      {"relationshipType", "DESCRIBES"}}));
  }
  std::string content = formats::sha256_hex(list.dump());
  return Json::object({{"spdxVersion", "SPDX-2.3"},
                       {"dataLicense", "CC0-1.0"},
                       {"SPDXID", "SPDXRef-DOCUMENT"},
                       {"name", name},
                       {"documentNamespace", "https://slipway.dev/spdx/" + content},
                       {"creationInfo", Json::object({{"creators", Json::array({"Tool: slipway"})},
                                                      {"created", created}})},
                       {"packages", list},
                       {"relationships", relations}});
}

Json provenance(const BuildFacts& facts, bool mode_max, const std::string& version) {
  Json args = Json::object();
  if (mode_max) {
    for (const auto& [name, value] : facts.request.build_args) args["build-arg:" + name] = value;
    for (const auto& [name, value] : facts.request.labels) args["label:" + name] = value;
  }
  if (!facts.request.target.empty()) args["target"] = facts.request.target;
  Json parameters = Json::object({{"frontend", "dockerfile.v0"}, {"args", args}});
  parameters["locals"] =
      Json::array({Json::object({{"name", "context"}}), Json::object({{"name", "dockerfile"}})});
  if (mode_max && !facts.request.secrets.empty()) {
    Json secrets = Json::array();
    for (const auto& secret : facts.request.secrets)
      secrets.push_back(Json::object({{"id", secret.id}, {"optional", true}}));
    parameters["secrets"] = secrets;
  }
  Json materials = Json::array();
  for (const auto& material : facts.materials) {
    materials.push_back(Json::object({{"uri", image_purl(material.name, facts.platform)},
                                      {"digest", digest_object(material.digest)}}));
  }
  std::string entry =
      facts.request.dockerfile ? facts.request.dockerfile->filename().string() : "Dockerfile";
  Json source = Json::object();
  if (mode_max) {
    source = Json::object(
        {{"infos", Json::array({Json::object({{"filename", entry},
                                              {"language", "Dockerfile"},
                                              {"data", base64(facts.dockerfile)}})})}});
  }
  Json environment = Json::object({{"platform", facts.platform}});
  if (version == "v1") {
    Json details = Json::object(
        {{"invocationId", facts.id}, {"startedOn", facts.started}, {"finishedOn", facts.finished}});
    details["buildkit_completeness"] =
        Json::object({{"request", mode_max}, {"resolvedDependencies", false}});
    if (mode_max) details["buildkit_metadata"] = Json::object({{"source", source}});
    return Json::object(
        {{"buildDefinition",
          Json::object({{"buildType",
                         "https://github.com/moby/buildkit/blob/master/docs/attestations/"
                         "slsa-definitions.md"},
                        {"externalParameters",
                         Json::object({{"configSource", Json::object({{"path", entry}})},
                                       {"request", parameters}})},
                        {"internalParameters", Json::object({{"builderPlatform", facts.platform}})},
                        {"resolvedDependencies", materials}})},
         {"runDetails",
          Json::object({{"builder", Json::object({{"id", ""}})}, {"metadata", details}})}});
  }
  Json metadata = Json::object(
      {{"buildInvocationID", facts.id},
       {"buildStartedOn", facts.started},
       {"buildFinishedOn", facts.finished},
       {"completeness",
        Json::object({{"parameters", mode_max}, {"environment", true}, {"materials", false}})},
       {"reproducible", false}});
  if (mode_max)
    metadata["https://mobyproject.org/buildkit@v1#metadata"] = Json::object({{"source", source}});
  return Json::object(
      {{"builder", Json::object({{"id", ""}})},
       {"buildType", kBuildType},
       {"materials", materials},
       {"invocation", Json::object({{"configSource", Json::object({{"entryPoint", entry}})},
                                    {"parameters", parameters},
                                    {"environment", environment}})},
       {"metadata", metadata}});
}

oci::Descriptor put_attestations(oci::BlobStore& store, const oci::Descriptor& image,
                                 const oci::Platform& platform,
                                 const std::vector<std::string>& names,
                                 const std::vector<Attestation>& attestations) {
  Json subjects = Json::array();
  for (const auto& name : names) {
    subjects.push_back(Json::object(
        {{"name", image_purl(name, platform.str())}, {"digest", digest_object(image.digest)}}));
  }
  if (names.empty())
    subjects.push_back(Json::object({{"name", "_"}, {"digest", digest_object(image.digest)}}));
  oci::Manifest manifest;
  oci::ImageConfig config{.platform = {.os = "unknown", .architecture = "unknown"}};
  for (const auto& attestation : attestations) {
    std::string statement = Json::object({{"_type", "https://in-toto.io/Statement/v0.1"},
                                          {"predicateType", attestation.predicate_type},
                                          {"subject", subjects},
                                          {"predicate", attestation.predicate}})
                                .dump();
    auto layer = store.put(statement, kInTotoType);
    layer.annotations["in-toto.io/predicate-type"] = attestation.predicate_type;
    config.diff_ids.push_back(layer.digest);
    manifest.layers.push_back(std::move(layer));
  }
  manifest.config = store.put(oci::print(config), oci::media_type::kConfig);
  auto described = store.put(oci::print(manifest), oci::media_type::kManifest);
  described.annotations = {{"vnd.docker.reference.digest", image.digest.str()},
                           {"vnd.docker.reference.type", "attestation-manifest"}};
  described.platform = config.platform;
  oci::Descriptor first = image;
  first.platform = platform;
  oci::Index index;
  index.manifests = {first, described};
  return store.put(oci::print(index), oci::media_type::kIndex);
}

}  // namespace slipway::image
