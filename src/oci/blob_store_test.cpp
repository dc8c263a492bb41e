// SPDX-License-Identifier: Apache-2.0
#include "oci/blob_store.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "oci/reference.hpp"

namespace slipway::oci {
namespace {

// An image of one layer; returns the manifest's descriptor.
Descriptor put_image(BlobStore& store, const std::string& content) {
  ImageConfig config;
  config.platform = Platform::host();
  Manifest manifest;
  manifest.layers = {store.put(content, media_type::kLayer)};
  config.diff_ids = {manifest.layers[0].digest};
  manifest.config = store.put(print(config), media_type::kConfig);
  return store.put(print(manifest), media_type::kManifest);
}

std::size_t files_in(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST_CASE("a blob is there after commit, and not before") {
  os::TempDir dir;
  BlobStore store(dir.path());
  BlobWriter writer = store.begin();
  writer.write("hello ");
  CHECK_FALSE(store.has(Digest::of("hello ")));
  writer.write("world");
  Digest digest = writer.commit();
  CHECK(digest == Digest::of("hello world"));
  CHECK(store.size(digest) == 11);
  CHECK(store.read(digest) == "hello world");
  CHECK(files_in(dir.path() / "ingest") == 0);
}

TEST_CASE("a blob that is not what was expected is dropped") {
  os::TempDir dir;
  BlobStore store(dir.path());
  {
    BlobWriter writer = store.begin();
    writer.write("evil");
    CHECK_THROWS_AS(writer.commit(Digest::of("good")), Error);
  }
  CHECK(store.blobs().empty());
  CHECK(files_in(dir.path() / "ingest") == 0);
}

TEST_CASE("a damaged blob is not handed out") {
  os::TempDir dir;
  BlobStore store(dir.path());
  Digest digest = store.put("content");
  os::write_file(store.path_of(digest), "c0ntent");
  CHECK_THROWS_AS((void)store.read(digest), Error);
}

TEST_CASE("the same blob from many threads at once is one blob") {
  os::TempDir dir;
  BlobStore store(dir.path());
  TaskGroup group({});
  for (int i = 0; i < 8; ++i) {
    group.start([&](const std::stop_token&) {
      BlobWriter writer = store.begin();
      writer.write("same");
      writer.commit(Digest::of("same"));
    });
  }
  group.join();
  CHECK(store.blobs().size() == 1);
  CHECK(files_in(dir.path() / "ingest") == 0);
}

TEST_CASE("names are kept across stores, changed and removed") {
  os::TempDir dir;
  Descriptor one;
  {
    BlobStore store(dir.path());
    one = put_image(store, "one");
    store.set_tag("docker.io/library/a:1", one);
  }
  BlobStore store(dir.path());
  BlobStore other(dir.path());
  CHECK(store.resolve("docker.io/library/a:1") == one);
  Descriptor two = put_image(other, "two");
  other.set_tag("docker.io/library/a:1", two);
  CHECK(store.resolve("docker.io/library/a:1") == two);
  CHECK(store.tags() == std::vector<TaggedImage>{{"docker.io/library/a:1", two}});
  CHECK(store.resolve(one.digest.str())->digest == one.digest);
  CHECK_FALSE(store.resolve(store.put(R"({"os":"linux"})").str()));  // JSON, and no image
  CHECK(store.resolve("x.y/z@" + one.digest.str())->media_type == media_type::kManifest);
  CHECK(store.remove_tag("docker.io/library/a:1"));
  CHECK_FALSE(store.remove_tag("docker.io/library/a:1"));
  CHECK_FALSE(other.resolve("docker.io/library/a:1"));
}

TEST_CASE("a name for something that is not there is refused") {
  os::TempDir dir;
  BlobStore store(dir.path());
  CHECK_THROWS_AS(store.set_tag("a/b:c", describe("x", media_type::kManifest)), Error);
}

TEST_CASE("names set from many threads are all there") {
  os::TempDir dir;
  BlobStore store(dir.path());
  Descriptor image = put_image(store, "x");
  TaskGroup group({});
  for (int i = 0; i < 8; ++i) {
    group.start(
        [&, i](const std::stop_token&) { store.set_tag(fmt::format("h.x/r:{}", i), image); });
  }
  group.join();
  CHECK(store.tags().size() == 8);
}

TEST_CASE("garbage is what no name leads to") {
  os::TempDir dir;
  BlobStore store(dir.path());
  Descriptor kept = put_image(store, "kept");
  Descriptor dropped = put_image(store, "dropped");
  Index index;
  index.manifests = {kept};
  store.set_tag("h.x/r:1", store.put(print(index), media_type::kIndex));
  auto collected = store.collect_garbage();
  CHECK(collected.blobs == 3);
  CHECK(store.has(kept.digest));
  CHECK(store.has(Digest::of("kept")));
  CHECK_FALSE(store.has(dropped.digest));
  CHECK(store.collect_garbage().blobs == 0);
}

TEST_CASE("nothing is collected while somebody holds a lease") {
  os::TempDir dir;
  BlobStore store(dir.path());
  BlobStore other(dir.path());
  store.put("x");
  {
    auto lease = other.lease();
    CHECK(store.collect_garbage().in_use);
    CHECK(store.has(Digest::of("x")));
  }
  CHECK(store.collect_garbage().blobs == 1);
}

TEST_CASE("what a broken-off writer left is collected, what a living one writes is not") {
  os::TempDir dir;
  BlobStore store(dir.path());
  os::write_file(dir.path() / "ingest" / "1-dead", "half");
  BlobWriter living = store.begin();
  living.write("alive");
  store.collect_garbage();
  CHECK(files_in(dir.path() / "ingest") == 1);
  CHECK(store.read(living.commit()) == "alive");
}

TEST_CASE("a file comes in by link or copy, checked") {
  os::TempDir dir;
  os::TempDir from;
  BlobStore store(dir.path());
  os::write_file(from.path() / "f", "linked", 0644);
  CHECK_THROWS_AS(store.put_file(from.path() / "f", Digest::of("other")), Error);
  store.put_file(from.path() / "f", Digest::of("linked"));
  CHECK(store.read(Digest::of("linked")) == "linked");
  std::filesystem::create_symlink("/etc/hostname", from.path() / "l");
  CHECK_THROWS_AS(store.put_file(from.path() / "l", Digest::of("x")), Error);
}

TEST_CASE("the store is an image layout that others read") {
  os::TempDir dir;
  BlobStore store(dir.path());
  store.set_tag("docker.io/library/a:1", put_image(store, "x"));
  CHECK(os::read_file(dir.path() / "oci-layout").find("1.0.0") != std::string::npos);
  Index index = parse_index(os::read_file(dir.path() / "index.json"));
  CHECK(index.manifests.at(0).annotations.at("org.opencontainers.image.ref.name") ==
        "docker.io/library/a:1");
}

TEST_CASE("an image is found by name and by digest, for its platform") {
  os::TempDir dir;
  BlobStore store(dir.path());
  Descriptor manifest = put_image(store, "x");
  Index index;
  index.manifests = {manifest};
  index.manifests[0].platform = Platform::host();
  store.set_tag("h.x/r:1", store.put(print(index), media_type::kIndex));
  auto image = find_image(store, "h.x/r:1", Platform::host());
  REQUIRE(image);
  CHECK(image->descriptor.digest == manifest.digest);
  CHECK(image->config.diff_ids.size() == 1);
  CHECK_FALSE(find_image(store, "h.x/r:2", Platform::host()));
  CHECK_THROWS_AS(find_image(store, "h.x/r:1", Platform::parse("linux/s390x")), Error);
}

}  // namespace
}  // namespace slipway::oci
