// SPDX-License-Identifier: Apache-2.0
#include "image/build_prune.hpp"

#include <doctest/doctest.h>

#include "image/layer_store.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

TEST_CASE("pruning takes what killed builds left, and the build cache only when all is to go") {
  os::TempDir place;
  fs::path root = place.path();
  for (const char* kept : {"layers/0123/fs", "cache/ab", "steps", "reasons", "hashes", "downloads"})
    os::make_dirs(root / kept);
  os::write_file(root / "steps/k", "record");
  os::write_file(root / "downloads/d", "body");
  for (const char* left :
       {"layers/4567.new/fs", "layers/slipway-a/1", "cache/slipway-b", "slipway-c"})
    os::make_dirs(root / left);
  auto some = prune_builds(root, false);
  CHECK(some.broken_off == 4);
  CHECK(some.layers == 0);
  CHECK(fs::exists(root / "layers/0123/fs"));
  CHECK(fs::exists(root / "steps/k"));
  CHECK_FALSE(fs::exists(root / "slipway-c"));
  auto all = prune_builds(root, true);
  CHECK(all.broken_off == 0);
  CHECK(all.layers == 1);
  for (const char* name : {"layers", "cache", "steps", "downloads"})
    CHECK(fs::is_empty(root / name));
  CHECK(prune_builds(root / "absent", true).layers == 0);
}

TEST_CASE("shrinking the build cache takes what was used longest ago, with its records") {
  os::TempDir place;
  fs::path root = place.path() / "build";
  oci::BlobStore blobs(place.path());
  LayerStore store(root);
  const std::string text(1 << 20, 'x');
  auto now = fs::file_time_type::clock::now();
  for (int i = 0; i < 4; ++i) {
    std::string id = fmt::format("{:02x}", i);
    os::make_dirs(root / "layers" / id / "fs");
    os::write_file(root / "layers" / id / "fs/f", text);
    fs::last_write_time(root / "layers" / id, now - std::chrono::hours(100));
    store.keep_step("a" + id, {id, id, "2026"});
    fs::last_write_time(root / "steps" / ("a" + id), now - std::chrono::hours(10 - i));
  }
  os::make_dirs(root / "cache/c");
  os::write_file(root / "cache/c/f", text);
  for (const char* old : {"cache/c/f", "cache/c"})
    fs::last_write_time(root / old, now - std::chrono::hours(50));
  auto digest = blobs.put("layer 0");
  store.keep_blob("00", "gzip", {digest, {.digest = digest, .size = 7}});
  store.touch_step("a00");  // used last

  auto shrunk = shrink_builds(root, blobs, 5U << 19);  // two and a half
  CHECK(shrunk.layers == 2);
  CHECK(shrunk.others == 1);
  CHECK(shrunk.bytes >= 3U << 20);
  CHECK(shrunk.kept_blobs == std::set<oci::Digest>{digest});
  for (const char* kept : {"00", "03"}) CHECK(store.find_step(std::string("a") + kept));
  for (const char* gone : {"01", "02"}) {
    CHECK_FALSE(store.find_step(std::string("a") + gone));
    CHECK_FALSE(fs::exists(root / "layers" / gone));
  }
  CHECK(fs::is_empty(root / "cache"));
  CHECK(shrink_builds(root, blobs, 1U << 30).layers == 0);
  CHECK(shrink_builds(root / "absent", blobs, 0).layers == 0);
}

}  // namespace
}  // namespace slipway::image
