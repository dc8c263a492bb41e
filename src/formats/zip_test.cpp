// SPDX-License-Identifier: Apache-2.0
#include "formats/zip.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

struct Place {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("slipway-zip-" + uuid());
  Place() { std::filesystem::create_directories(path); }
  ~Place() { std::filesystem::remove_all(path); }
};

void write(const std::filesystem::path& file,
           const std::vector<std::pair<ZipEntry, std::string>>& entries, int level) {
  ZipWriter zip(file, level);
  for (const auto& [entry, text] : entries) {
    MemoryReader content(text);
    zip.add(entry, content);
  }
  zip.finish();
}

}  // namespace

TEST_CASE("what is put into a zip archive comes out of it") {
  Place place;
  std::string large(300000, 'x');
  for (int level : {0, 6, 9}) {
    auto file = place.path / "a.zip";
    write(file,
          {{{.path = "a.txt", .mode = 0755, .size = 5, .mtime = 1'700'000'000}, "hello"},
           {{.path = "sub/größe.txt", .size = large.size()}, large}},
          level);
    if (level > 0) CHECK(std::filesystem::file_size(file) < large.size());
    ZipReader zip(file);
    auto first = zip.next();
    REQUIRE(first);
    CHECK(first->path == "a.txt");
    CHECK(first->mode == 0755);
    CHECK(read_all(zip.content()) == "hello");
    auto second = zip.next();
    REQUIRE(second);
    CHECK(second->path == "sub/größe.txt");
    CHECK(read_all(zip.content()) == large);
    CHECK(!zip.next());
  }
}

TEST_CASE("a zip archive's name that leads out, and what is no zip archive, are refused") {
  Place place;
  for (const char* name : {"../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"}) {
    write(place.path / "evil.zip", {{{.path = name, .size = 1}, "x"}}, 6);
    ZipReader zip(place.path / "evil.zip");
    CHECK_THROWS_AS(zip.next(), Error);
  }
  std::ofstream(place.path / "none.zip") << "this is no zip archive";
  CHECK_THROWS_AS(
      [&] {
        ZipReader zip(place.path / "none.zip");
        zip.next();
      }(),
      Error);
}
