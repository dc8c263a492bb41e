// SPDX-License-Identifier: Apache-2.0
#include "image/build_prune.hpp"

#include <doctest/doctest.h>

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

}  // namespace
}  // namespace slipway::image
