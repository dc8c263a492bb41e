// SPDX-License-Identifier: Apache-2.0
// Images in a tar: an OCI layout, or what `docker save` writes and `docker load` reads.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/tar.hpp"
#include "oci/layout.hpp"
#include "oci/manifest_json.hpp"
#include "oci/reference.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
using formats::TarEntry;
using formats::TarType;
namespace fs = std::filesystem;

constexpr const char* kRefName = "org.opencontainers.image.ref.name";

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Cancelled();
}

TarEntry file_entry(std::string path, std::uint64_t size) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.size = size;
  entry.mode = 0644;
  return entry;
}

TarEntry directory_entry(std::string path) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.type = TarType::directory;
  entry.mode = 0755;
  return entry;
}

void add_blob(formats::TarWriter& tar, const BlobStore& store, const Digest& digest) {
  os::Fd file = store.open(digest);
  formats::FdReader content(file.get());
  tar.add(file_entry(fmt::format("blobs/{}/{}", digest.algorithm(), digest.hex()),
                     store.size(digest).value_or(0)),
          content);
}

// Links may lead from one file of the archive to another (docker writes such), never out of it. What is neither file, directory nor
// link has no business in an image's archive: opening a pipe would wait for ever.
void check_files(const fs::path& directory) {
  const std::string inside = fs::canonical(directory).string() + "/";
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_symlink()) {
      if (entry.is_regular_file() || entry.is_directory()) continue;
      fail(Fault::bad_input, "'{}' is neither a file nor a directory",
           entry.path().lexically_relative(directory).string());
    }
    std::error_code dangling;
    fs::path target = fs::canonical(entry.path(), dangling);
    if (dangling || !target.string().starts_with(inside)) {
      fail(Fault::bad_input, "'{}' is a link that leads out of the archive",
           entry.path().lexically_relative(directory).string());
    }
  }
}

// A path of the archive below the unpacked directory; never one that leads out: see check_files().
fs::path inside(const fs::path& directory, const std::string& name) {
  fs::path relative = fs::path(name).lexically_normal();
  if (relative.is_absolute() || relative.string().starts_with(".."))
    fail(Fault::bad_input, "'{}' leads out of the archive", name);
  fs::path path = directory / relative;
  if (!fs::is_regular_file(path))
    fail(Fault::bad_input, "the archive names '{}' but does not hold it", name);
  return path;
}

// A layer of a `docker save` archive: stored as it is, compressed or not. Returns its descriptor;
// checks its content.
Descriptor import_docker_layer(const fs::path& file, const Digest& diff_id, BlobStore& store) {
  os::Fd fd = os::open_file(file.string(), O_RDONLY);
  formats::FdReader raw(fd.get());
  BlobWriter blob = store.begin();
  formats::copy_all(raw, blob);
  Descriptor layer;
  layer.size = blob.size();
  layer.digest = blob.commit();
  auto tar = open_layer(store, layer.digest);
  Digester digester(diff_id.algorithm());
  std::vector<char> piece(256u << 10);
  while (std::size_t count = tar->read(piece))
    digester.update(std::string_view(piece.data(), count));
  if (digester.digest() != diff_id)
    fail(Fault::bad_input, "layer '{}' is not {}", file.filename().string(), diff_id);
  char magic[4] = {};
  os::Fd again = store.open(layer.digest);
  formats::FdReader head(again.get());
  std::size_t count = formats::read_fully(head, magic);
  bool is_gzip = count >= 2 && magic[0] == '\x1f' && magic[1] == '\x8b';
  bool is_zstd =
      count == 4 && std::string_view(magic, 4) == std::string_view("\x28\xb5\x2f\xfd", 4);
  layer.media_type = is_gzip   ? media_type::kLayerGzip
                     : is_zstd ? media_type::kLayerZstd
                               : media_type::kLayer;
  return layer;
}

TaggedImage import_docker_image(const fs::path& directory, const Json& item, BlobStore& store,
                                const std::string& name, std::vector<TaggedImage>& brought,
                                const std::stop_token& stop) {
  std::string config_bytes = os::read_file(inside(directory, item.at("Config").as_string()));
  ImageConfig config = parse_image_config(config_bytes);
  const Json::Array& layers = item.get_array("Layers");
  if (layers.size() != config.diff_ids.size()) {
    fail(Fault::bad_input, "the archive has {} layers, the image's configuration lists {}",
         layers.size(), config.diff_ids.size());
  }
  Manifest manifest;
  manifest.config = store.put(config_bytes, media_type::kConfig);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_stop(stop);
    manifest.layers.push_back(
        import_docker_layer(inside(directory, layers[i].as_string()), config.diff_ids[i], store));
  }
  Descriptor target = store.put(print(manifest), media_type::kManifest);
  for (const Json& tag : item.get_array("RepoTags")) {
    std::string full = Reference::parse(tag.as_string()).str();
    store.set_tag(full, target);
    brought.push_back({full, target});
  }
  if (item.get_array("RepoTags").empty()) {
    std::string full = name.empty() ? "" : Reference::parse(name).str();
    if (!full.empty()) store.set_tag(full, target);
    brought.push_back({full, target});
  }
  return brought.back();
}

std::vector<std::string> layer_names(const ImageConfig& config) {
  std::vector<std::string> names;
  for (const Digest& id : config.diff_ids) names.push_back(fmt::format("{}/layer.tar", id.hex()));
  return names;
}

// An uncompressed layer's length is needed before its bytes: read once to count, once to write.
void add_layer(formats::TarWriter& tar, const BlobStore& store, const Digest& blob,
               const std::string& name) {
  formats::CountingWriter count;
  formats::copy_all(*open_layer(store, blob), count);
  auto content = open_layer(store, blob);
  tar.add(directory_entry(name.substr(0, name.rfind('/'))));
  tar.add(file_entry(name, count.count()), *content);
}

}  // namespace

void export_layout_tar(const BlobStore& store, std::span<const TaggedImage> images,
                       formats::Writer& out, const std::stop_token& stop) {
  formats::TarWriter tar(out);
  std::set<Digest> all;
  for (const TaggedImage& image : images) all.merge(store.reachable(image.target.digest));
  tar.add(directory_entry("blobs"));
  tar.add(directory_entry("blobs/sha256"));
  for (const Digest& digest : all) {
    check_stop(stop);
    add_blob(tar, store, digest);
  }
  Index index;
  for (const TaggedImage& image : images) {
    index.manifests.push_back(image.target);
    index.manifests.back().annotations[kRefName] = image.name;
    index.manifests.back().annotations["io.containerd.image.name"] = image.name;
  }
  tar.add(file_entry("index.json", 0), print(index));
  tar.add(file_entry("oci-layout", 0), "{\"imageLayoutVersion\":\"1.0.0\"}");
  tar.finish();
}

void export_docker_archive(const BlobStore& store, std::span<const TaggedImage> images,
                           const Platform& platform, formats::Writer& out,
                           const std::stop_token& stop) {
  formats::TarWriter tar(out);
  Json list = Json::array();
  std::map<Digest, std::size_t> by_config;  // several names of one image are one item
  std::set<std::string> written;
  for (const TaggedImage& tagged : images) {
    auto image = find_image(store, tagged.target.digest.str(), platform);
    if (!image) fail(Fault::not_found, "'{}' is not wholly in the store", tagged.name);
    std::string short_name = tagged.name.empty() ? "" : Reference::parse(tagged.name).familiar();
    auto [known, is_new] = by_config.emplace(image->manifest.config.digest, list.size());
    if (!is_new) {
      list.as_array()[known->second]["RepoTags"].push_back(short_name);
      continue;
    }
    std::string config_name = fmt::format("{}.json", image->manifest.config.digest.hex());
    Json item = Json::object(
        {{"Config", config_name}, {"RepoTags", Json::array()}, {"Layers", Json::array()}});
    if (!short_name.empty()) item["RepoTags"].push_back(short_name);
    std::vector<std::string> names = layer_names(image->config);
    for (std::size_t i = 0; i < names.size(); ++i) {
      check_stop(stop);
      item["Layers"].push_back(names[i]);
      if (written.insert(names[i]).second)
        add_layer(tar, store, image->manifest.layers[i].digest, names[i]);
    }
    tar.add(file_entry(config_name, 0), store.read(image->manifest.config.digest));
    list.push_back(std::move(item));
  }
  tar.add(file_entry("manifest.json", 0), list.dump());
  tar.finish();
}

std::vector<TaggedImage> import_archive(formats::Reader& source, BlobStore& store,
                                        const std::string& name, const std::stop_token& stop) {
  return while_doing("reading the image archive", [&] {
    BlobStore::Lease lease = store.lease();
    os::TempDir unpacked(store.root() / "ingest");
    {
      os::Fd root = os::open_file(unpacked.path().string(), O_RDONLY | O_DIRECTORY);
      UnpackOptions options;
      options.own = false;
      auto tar = decompress(source);
      apply_layer(*tar, root, options, stop);
    }
    check_files(unpacked.path());
    if (fs::exists(unpacked.path() / "oci-layout"))
      return import_layout(unpacked.path(), store, name, stop);
    auto list = os::read_file_if_exists(unpacked.path() / "manifest.json");
    if (!list) fail(Fault::bad_input, "it is neither an OCI layout nor written by `docker save`");
    std::vector<TaggedImage> brought;
    const Json items = formats::parse_json(*list, "manifest.json");
    for (const Json& item : items.as_array()) {
      import_docker_image(unpacked.path(), item, store, name, brought, stop);
    }
    if (brought.empty()) fail(Fault::bad_input, "it holds no image");
    return brought;
  });
}

}  // namespace slipway::oci
