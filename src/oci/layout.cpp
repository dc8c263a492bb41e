// SPDX-License-Identifier: Apache-2.0
#include "oci/layout.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/manifest_json.hpp"
#include "oci/reference.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLayoutNameAnnotation = "org.opencontainers.image.ref.name";
constexpr const char* kContainerdName = "io.containerd.image.name";
constexpr int kMostNesting = 8;

void stop_if_asked(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Cancelled();
}

fs::path blob_path(const fs::path& directory, const Digest& digest) {
  return directory / "blobs" / digest.algorithm() / digest.hex();
}

// Brings a manifest or index in with all that it leads to, what is below it first.
void import_tree(const fs::path& directory, const Descriptor& top, BlobStore& store, int depth,
                 const std::stop_token& stop) {
  stop_if_asked(stop);
  if (depth > kMostNesting)
    fail(Fault::bad_input, "'{}': indexes are nested too deep", directory.string());
  std::string bytes = os::read_file(blob_path(directory, top.digest));
  if (bytes.size() != top.size) {
    fail(Fault::bad_input, "blob {} has {} bytes, its descriptor says {}", top.digest, bytes.size(),
         top.size);
  }
  auto bring = [&](const Descriptor& blob) {
    stop_if_asked(stop);
    store.put_file(blob_path(directory, blob.digest), blob.digest);
    if (store.size(blob.digest) != blob.size)
      fail(Fault::bad_input, "blob {} has another size than its manifest says", blob.digest);
  };
  auto document = parse_manifest_or_index(bytes, top.media_type);
  if (const auto* manifest = std::get_if<Manifest>(&document)) {
    bring(manifest->config);
    if (manifest->config.media_type == media_type::kConfig ||
        manifest->config.media_type == media_type::kDockerConfig) {
      while_doing(fmt::format("configuration {}", manifest->config.digest.brief()),
                  [&] { return parse_image_config(store.read(manifest->config.digest)); });
    }
    for (const Descriptor& layer : manifest->layers) {
      bool is_absent_by_right = is_foreign_layer_type(layer.media_type) &&
                                !fs::exists(blob_path(directory, layer.digest));
      if (!is_absent_by_right) bring(layer);
    }
  } else {
    for (const Descriptor& entry : std::get<Index>(document).manifests) {
      if (fs::exists(blob_path(directory, entry.digest)))
        import_tree(directory, entry, store, depth + 1, stop);
    }
  }
  store.put_file(blob_path(directory, top.digest), top.digest);
}

// A full name as containerd or we write it, else a tag of `fallback`, else `fallback`.
std::string name_for(const Descriptor& entry, const std::string& fallback) {
  for (const char* key : {kContainerdName, kLayoutNameAnnotation}) {
    auto found = entry.annotations.find(key);
    if (found == entry.annotations.end() || found->second.empty()) continue;
    bool is_full = found->second.find('/') != std::string::npos ||
                   found->second.find(':') != std::string::npos;
    if (is_full) return Reference::parse(found->second).str();
    if (fallback.empty()) continue;
    Reference name = Reference::parse(fallback);
    bool has_own_tag =
        fallback.rfind(':') != std::string::npos && fallback.rfind(':') > fallback.rfind('/');
    if (!has_own_tag && is_tag(found->second)) name.tag = found->second;
    return name.str();
  }
  return fallback.empty() ? "" : Reference::parse(fallback).str();
}

Descriptor plain(Descriptor entry) {
  entry.annotations.erase(kLayoutNameAnnotation);
  entry.annotations.erase(kContainerdName);
  return entry;
}

Descriptor named(const TaggedImage& image) {
  Descriptor entry = image.target;
  entry.annotations[kLayoutNameAnnotation] = image.name;
  entry.annotations[kContainerdName] = image.name;
  return entry;
}

std::set<Digest> contents(const BlobStore& store, std::span<const TaggedImage> images) {
  std::set<Digest> all;
  for (const TaggedImage& image : images) all.merge(store.reachable(image.target.digest));
  return all;
}

}  // namespace

std::vector<TaggedImage> import_layout(const fs::path& directory, BlobStore& store,
                                       const std::string& name, const std::stop_token& stop) {
  return while_doing(fmt::format("reading the image layout '{}'", directory.string()), [&] {
    auto mark = os::read_file_if_exists(directory / "oci-layout");
    if (!mark) fail(Fault::bad_input, "it has no file 'oci-layout'");
    std::string version = formats::parse_json(*mark, "oci-layout").get_string("imageLayoutVersion");
    if (!version.starts_with("1.")) fail(Fault::bad_input, "version '{}' is not known", version);
    BlobStore::Lease lease = store.lease();
    Index index = parse_index(os::read_file(directory / "index.json"));
    std::vector<TaggedImage> brought;
    for (const Descriptor& entry : index.manifests) {
      import_tree(directory, entry, store, 0, stop);
      std::string its_name = name_for(entry, name);
      if (!its_name.empty()) store.set_tag(its_name, plain(entry));
      brought.push_back({its_name, plain(entry)});
    }
    if (brought.empty()) fail(Fault::bad_input, "it holds no image");
    return brought;
  });
}

void export_layout(const BlobStore& store, std::span<const TaggedImage> images,
                   const fs::path& directory, const std::stop_token& stop) {
  while_doing(fmt::format("writing the image layout '{}'", directory.string()), [&] {
    os::make_dirs(directory);
    BlobStore target(directory);
    fs::remove_all(directory / "ingest");
    os::make_dirs(directory / "ingest");
    Index index;
    if (auto text = os::read_file_if_exists(directory / "index.json")) index = parse_index(*text);
    for (const Digest& digest : contents(store, images)) {
      stop_if_asked(stop);
      target.put_file(store.path_of(digest), digest);
    }
    for (const TaggedImage& image : images) {
      Descriptor entry = named(image);
      std::erase_if(index.manifests, [&](const Descriptor& other) {
        auto its_name = other.annotations.find(kLayoutNameAnnotation);
        return its_name != other.annotations.end() && its_name->second == image.name;
      });
      index.manifests.push_back(std::move(entry));
    }
    os::write_file_durably(directory / "index.json", print(index));
    for (const char* own : {"ingest", "names.lock", "lease.lock"}) os::remove_tree(directory / own);
  });
}

}  // namespace slipway::oci
