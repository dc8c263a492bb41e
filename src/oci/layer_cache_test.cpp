// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "formats/gzip.hpp"
#include "formats/tar.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"

namespace slipway::oci {
namespace {

namespace fs = std::filesystem;

std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files,
                   const std::string& hard_link_to = "") {
  formats::StringWriter out;
  formats::TarWriter tar(out);
  for (const auto& [path, content] : files) {
    formats::TarEntry entry;
    entry.path = path;
    if (path.ends_with('/')) {
      entry.type = formats::TarType::directory;
      entry.mode = 0700;
    }
    tar.add(entry, content);
  }
  if (!hard_link_to.empty()) {
    formats::TarEntry entry;
    entry.path = "hard";
    entry.type = formats::TarType::hard_link;
    entry.link_target = hard_link_to;
    tar.add(entry);
  }
  tar.finish();
  return out.take();
}

struct Image {
  Manifest manifest;
  ImageConfig config;
};

Image image_of(BlobStore& store, const std::vector<std::string>& tars) {
  Image image;
  for (const std::string& tar : tars) {
    image.config.diff_ids.push_back(Digest::of(tar));
    image.manifest.layers.push_back(store.put(formats::gzip(tar), media_type::kLayerGzip));
  }
  return image;
}

std::string merged(const std::vector<fs::path>& top_first, const std::string& path) {
  for (const fs::path& layer : top_first) {
    if (fs::exists(fs::symlink_status(layer / path))) return os::read_file(layer / path);
  }
  return "(none)";
}

TEST_CASE("an image's layers are unpacked once, top-most first") {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"a", "1"}, {"b", "1"}}), tar_of({{"b", "2"}})});
  CHECK_FALSE(cache.find(image.config.diff_ids));
  auto layers = cache.unpack(image.manifest, image.config, store, {});
  REQUIRE(layers.size() == 2);
  CHECK(merged(layers, "b") == "2");
  CHECK(merged(layers, "a") == "1");
  CHECK(cache.find(image.config.diff_ids) == layers);
  CHECK(fs::is_empty(dir.path() / "cache/tmp"));
}

TEST_CASE("a layer that is not its diff id does not appear") {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"a", "1"}})});
  image.config.diff_ids[0] = Digest::of("something else");
  CHECK_THROWS_AS(cache.unpack(image.manifest, image.config, store, {}), Error);
  CHECK(fs::is_empty(dir.path() / "cache/layers"));
  CHECK(fs::is_empty(dir.path() / "cache/tmp"));
  image.config.diff_ids.clear();
  CHECK_THROWS_AS(cache.unpack(image.manifest, image.config, store, {}), Error);
}

TEST_CASE("a layer whose directories lie below takes after them" *
          doctest::skip(::geteuid() != 0)) {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"private/", ""}, {"private/a", "1"}}),
                                 tar_of({{"private/b", "2"}}, "private/a")});
  std::vector<fs::path> layers;
  try {
    layers = cache.unpack(image.manifest, image.config, store, {});
  } catch (const Error& error) {
    if (error.fault() != Fault::unavailable && error.fault() != Fault::denied) throw;
    MESSAGE("no overlay here: " << error.what());
    return;
  }
  struct stat info {};
  REQUIRE(::stat((layers[0] / "private").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  CHECK(os::read_file(layers[0] / "hard") == "1");
  CHECK(cache.find(image.config.diff_ids) == layers);
  CHECK(os::mounts_below(dir.path()).empty());
}

TEST_CASE("a hard link to nothing is an error when nothing lies below") {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"b", "2"}}, "not/here")});
  CHECK_THROWS_AS(cache.unpack(image.manifest, image.config, store, {}), Error);
}

TEST_CASE("an upper directory is adopted as a layer") {
  os::TempDir dir;
  LayerCache cache(dir.path());
  Digest id = Digest::of("some tar");
  os::TempDir work = cache.scratch();
  fs::create_directory(work.path() / "upper");
  os::write_file(work.path() / "upper/f", "x");
  fs::path layer = cache.adopt(id, work.path() / "upper");
  CHECK(os::read_file(layer / "f") == "x");
  CHECK(cache.find({}, id) == layer);
  CHECK_FALSE(fs::exists(work.path() / "upper"));
}

TEST_CASE("many threads that want one image unpack it once") {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"a", "1"}}), tar_of({{"b", "2"}}), tar_of({{"c", "3"}})});
  TaskGroup group({});
  for (int i = 0; i < 4; ++i) {
    group.start([&](const std::stop_token& stop) {
      cache.unpack(image.manifest, image.config, store, stop);
    });
  }
  group.join();
  CHECK(cache.find(image.config.diff_ids)->size() == 3);
}

TEST_CASE("a layer of another boot is unpacked again") {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"a", "1"}})});
  fs::path layer = cache.unpack(image.manifest, image.config, store, {})[0];
  os::write_file(layer / "a", "");  // as after a power cut
  os::write_file(layer.parent_path() / "layer.json", R"({"diff_id":"x","boot":"another"})");
  CHECK_FALSE(cache.find(image.config.diff_ids));
  cache.unpack(image.manifest, image.config, store, {});
  CHECK(os::read_file(layer / "a") == "1");
}

TEST_CASE("pruning spares what is kept and what is mounted" * doctest::skip(::geteuid() != 0)) {
  os::TempDir dir;
  BlobStore store(dir.path() / "store");
  LayerCache cache(dir.path() / "cache");
  Image image = image_of(store, {tar_of({{"a", "1"}}), tar_of({{"b", "2"}}), tar_of({{"c", "3"}})});
  auto layers = cache.unpack(image.manifest, image.config, store, {});
  fs::path target = dir.path() / "mnt";
  fs::create_directory(target);
  fs::create_directory(dir.path() / "empty");
  try {
    os::mount_overlay({.lower = {layers[0], dir.path() / "empty"}}, target);
  } catch (const Error& error) {
    MESSAGE("no overlay here: " << error.what());
    return;
  }
  os::Mount mounted(target);
  CHECK(cache.prune({image.config.diff_ids[0]}).layers == 1);
  CHECK(fs::exists(layers[0]));
  CHECK_FALSE(fs::exists(layers[1]));
  CHECK(fs::exists(layers[2]));
}

}  // namespace
}  // namespace slipway::oci
