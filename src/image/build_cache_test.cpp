// SPDX-License-Identifier: Apache-2.0
#include "image/build_cache.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

CacheEntry entry(char key, char layer) {
  std::string digest = "sha256:" + std::string(64, layer);
  return {.keys = {std::string(64, key), std::string(64, 'f')},
          .record = {std::string(64, 'f'), std::string(32, layer), "2026-01-01T00:00:00Z"},
          .layer = {.diff_id = oci::Digest::parse(digest),
                    .blob = {.media_type = std::string(oci::media_type::kLayerGzip),
                             .digest = oci::Digest::parse(digest),
                             .size = 7}}};
}

}  // namespace

TEST_CASE("a cache's description reads back as it was written") {
  std::vector<CacheEntry> entries{entry('1', 'a'), entry('2', 'b'), entry('3', 'a')};
  entries[1].layer.blob.annotations["io.github.containers.zstd-chunked.manifest-position"] =
      "1:2:3:1";
  std::vector<CacheMount> mounts{{std::string(32, 'c'), entry('9', 'd').layer},
                                 {std::string(32, 'e'), entries[0].layer}};
  auto cache = parse_cache(print_cache({entries, mounts}));
  CHECK(cache.mounts == mounts);
  const auto& back = cache.steps;
  REQUIRE(back.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back[i].keys == entries[i].keys);
    CHECK(back[i].record == entries[i].record);
    CHECK(back[i].layer == entries[i].layer);
  }
}

TEST_CASE("steps whose names could be paths, and layers that are not there, are left out") {
  std::string good =
      print_cache({{entry('1', 'a')}, {{std::string(32, 'c'), entry('9', 'd').layer}}});
  auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    auto cache = parse_cache(text);
    return cache.steps.size() + cache.mounts.size() - 1;
  };
  CHECK(with(std::string(32, 'c'), "../x") == 0);
  CHECK(with(std::string(32, 'a') + "\",\"created",
             "../../../etc/cron.d/aaaaaaaaaaaa\",\"created") == 0);
  CHECK(with(std::string(64, '1'), "..") == 0);
  CHECK(with("\"layer\":0", "\"layer\":2") == 0);
  CHECK(with("2026-01-01T00:00:00Z", "x\\ny") == 0);
  std::string line_end = good;
  line_end.insert(line_end.find("\"mediaType\""), R"("annotations":{"a":"b\n"},)");
  CHECK_THROWS_AS(parse_cache(line_end), Error);
  CHECK_THROWS_AS(parse_cache("nonsense"), Error);
  CHECK_THROWS_AS(parse_cache(R"({"layers":[{"diff_id":"x"}]})"), Error);
}
