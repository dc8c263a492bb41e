// SPDX-License-Identifier: Apache-2.0
#include "formats/zstd_chunked.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "formats/tar.hpp"
#include "formats/zstd.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() >> 8 & 0x3F);
  return bytes;
}

struct Packed {
  std::string bytes;
  std::map<std::string, std::string> annotations;
};

Packed pack(std::string_view tar, unsigned threads = 1, std::size_t piece = std::size_t{1} << 20) {
  StringWriter out;
  ZstdChunkedWriter writer(out, threads);
  for (std::size_t at = 0; at < tar.size(); at += piece) writer.write(tar.substr(at, piece));
  auto annotations = writer.finish();
  return {out.take(), annotations};
}

std::string unzstd(std::string_view bytes) {
  MemoryReader memory(bytes);
  ZstdReader reader(memory);
  return read_all(reader);
}

std::vector<std::uint64_t> numbers_of(const std::string& text) {
  std::vector<std::uint64_t> numbers;
  for (const auto& word : split(text, ':')) numbers.push_back(std::stoull(word));
  return numbers;
}

/// What the annotation's position leads to, unpacked.
std::string text_at(const Packed& packed, const std::string& position) {
  auto numbers = numbers_of(packed.annotations.at("io.github.containers.zstd-chunked." + position));
  std::string frame = packed.bytes.substr(numbers[0], numbers[1]);
  std::string text = unzstd(frame);
  CHECK(text.size() == numbers[2]);
  return text;
}

std::string tar_of(const std::vector<std::pair<TarEntry, std::string>>& entries) {
  StringWriter out;
  TarWriter tar(out);
  for (const auto& [entry, content] : entries) tar.add(entry, content);
  tar.finish();
  return out.take();
}

std::vector<std::pair<TarEntry, std::string>> sample() {
  TarEntry linked{
      .path = "etc/" + std::string(150, 'n'), .type = TarType::symlink, .link_target = "ü"};
  TarEntry with_xattr{
      .path = "usr/bin/ping", .mode = 04755, .uid = 5, .gid = 6, .mtime = 1'700'000'000};
  with_xattr.xattrs["security.capability"] = std::string("\1\0\2", 3);
  return {
      {{.path = "etc/", .type = TarType::directory, .mode = 0755}, ""},
      {linked, ""},
      {{.path = "etc/.wh.gone"}, ""},
      {with_xattr, "pong"},
      {{.path = "usr/bin/again", .type = TarType::hard_link, .link_target = "usr/bin/ping"}, ""},
      {{.path = "dev/null", .type = TarType::char_device, .device_major = 1, .device_minor = 3},
       ""},
      {{.path = "large"}, noise(3'000'000, 1)},
      {{.path = "exact"}, noise(512 * 9, 2)},
      {{.path = "zeros"}, std::string(2'500'000, '\0')}};
}

/// The content of an entry, put together from the pieces that the table names.
std::string content_by_table(const Packed& packed, const std::vector<Json>& entries,
                             const std::string& name) {
  std::string content;
  std::string digest;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Json& entry = entries[i];
    if (entry.get_string("name") != name) continue;
    if (entry.get_string("type") == "reg") digest = entry.get_string("digest");
    auto begin = static_cast<std::size_t>(entry.get_int("offset", 0));
    MemoryReader memory(std::string_view(packed.bytes).substr(begin));
    ZstdReader reader(memory);
    std::string piece(
        static_cast<std::size_t>(entry.get_int("chunkSize", entry.get_int("size", 0))), '\0');
    CHECK(read_fully(reader, piece) == piece.size());
    CHECK(static_cast<std::size_t>(entry.get_int("chunkOffset", 0)) == content.size());
    if (entry.contains("chunkDigest"))
      CHECK(entry.get_string("chunkDigest") == "sha256:" + sha256_hex(piece));
    content += piece;
  }
  CHECK(digest == "sha256:" + sha256_hex(content));
  return content;
}

}  // namespace

TEST_CASE("zstd:chunked is zstd of the same tar, the same bytes for any pieces and threads") {
  std::string tar = tar_of(sample());
  Packed packed = pack(tar);
  CHECK(unzstd(packed.bytes) == tar);
  CHECK(packed.bytes == pack(tar, 3, 777).bytes);
  CHECK(packed.bytes == pack(tar, 2, 512).bytes);
  CHECK(packed.annotations.size() == 3);
}

TEST_CASE("the table of contents leads to every file's pieces") {
  Packed packed = pack(tar_of(sample()), 2);
  auto position =
      numbers_of(packed.annotations.at("io.github.containers.zstd-chunked.manifest-position"));
  REQUIRE(position.size() == 4);
  CHECK(position[3] == 1);
  CHECK(packed.annotations.at(std::string(kZstdChunkedChecksum)) ==
        "sha256:" + sha256_hex(packed.bytes.substr(position[0], position[1])));
  Json table = parse_json(text_at(packed, "manifest-position"), "table");
  CHECK(table.get_int("version", 0) == 1);
  auto split =
      numbers_of(packed.annotations.at("io.github.containers.zstd-chunked.tarsplit-position"));
  CHECK(table.get_string("tarSplitDigest") ==
        "sha256:" + sha256_hex(packed.bytes.substr(split[0], split[1])));
  // The footer says the same: 64 bytes at the end.
  std::string footer = packed.bytes.substr(packed.bytes.size() - 64);
  CHECK(footer.ends_with("GNUlInUx"));
  CHECK(static_cast<unsigned char>(footer[0]) == (position[0] & 0xFF));
  CHECK(packed.bytes.substr(packed.bytes.size() - 72, 8) ==
        std::string("\x50\x2a\x4d\x18\x40\0\0\0", 8));

  std::vector<Json> entries;
  for (const auto& entry : table.get_array("entries")) entries.push_back(entry);
  auto find = [&](const std::string& name) {
    return std::find_if(entries.begin(), entries.end(),
                        [&](const Json& json) { return json.get_string("name") == name; });
  };
  for (const auto& one : sample()) {
    const TarEntry& entry = one.first;
    const std::string& content = one.second;
    CAPTURE(entry.path);
    auto found = find(entry.path);
    REQUIRE(found != entries.end());
    CHECK(found->get_int("mode", 0) == static_cast<std::int64_t>(entry.mode));
    CHECK(found->get_string("linkName") == entry.link_target);
    if (!content.empty()) CHECK(content_by_table(packed, entries, entry.path) == content);
  }
  auto ping = find("usr/bin/ping");
  CHECK(ping->get_string("type") == "reg");
  CHECK(ping->get_int("uid", 0) == 5);
  CHECK(ping->get_string("modtime") == "2023-11-14T22:13:20Z");
  CHECK(ping->find("xattrs")->get_string("security.capability") ==
        base64(std::string("\1\0\2", 3)));
}

TEST_CASE("the tar is built again from its files and tar-split") {
  std::string tar = tar_of(sample());
  Packed packed = pack(tar);
  std::map<std::string, std::string> contents;
  for (const auto& [entry, content] : sample()) contents[entry.path] = content;
  std::string again;
  int position = 0;
  for (const auto& line : split(text_at(packed, "tarsplit-position"), '\n')) {
    if (line.empty()) continue;
    Json json = parse_json(line, "tar-split");
    CHECK(json.get_int("position", -1) == position++);
    if (json.get_int("type", 0) == 2) {
      again += unbase64(json.get_string("payload")).value();
      continue;
    }
    const std::string& content = contents.at(json.get_string("name"));
    CHECK(static_cast<std::size_t>(json.get_int("size", 0)) == content.size());
    again += content;
  }
  CHECK(again == tar);
}

TEST_CASE("tar-split's sums are Go's CRC-64 with the ISO polynomial") {
  Packed packed = pack(tar_of({{{.path = "a"}, "123456789"}}));
  // crc64.Checksum([]byte("123456789"), crc64.MakeTable(crc64.ISO)) is 0xb90956c775a41001, by the catalogue of CRCs (CRC-64/GO-ISO).
  CHECK(text_at(packed, "tarsplit-position").find(base64(*unhex("b90956c775a41001"))) !=
        std::string::npos);
}

TEST_CASE("a byte put into a file leaves its other pieces as they were") {
  std::string content = noise(8'000'000, 3);
  std::string changed = content;
  changed.insert(4'000'000, "x");
  auto digests_of = [](const std::string& text) {
    Json table =
        parse_json(text_at(pack(tar_of({{{.path = "a"}, text}})), "manifest-position"), "table");
    std::set<std::string> digests;
    for (const auto& entry : table.get_array("entries"))
      digests.insert(entry.get_string("chunkDigest"));
    return digests;
  };
  auto before = digests_of(content);
  auto after = digests_of(changed);
  std::vector<std::string> fresh;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(fresh));
  CHECK(before.size() > 10);
  CHECK(fresh.size() <= 2);
}

TEST_CASE("what the table cannot say is plain zstd") {
  std::string tar = tar_of(
      {{{.path = "a"}, "x"}, {{.path = "\xff\xfe"}, "y"}, {{.path = "b"}, noise(200'000, 4)}});
  Packed packed = pack(tar, 2, 1000);
  CHECK(packed.annotations.empty());
  CHECK(unzstd(packed.bytes) == tar);
  std::string global = tar_of({{{.path = "a"}, "x"}});
  global[156] =
      'g';  // and its checksum: the sum of the bytes changed by the difference of '0' and 'g'
  int sum = std::stoi(global.substr(148, 6), nullptr, 8) + ('g' - '0');
  global.replace(148, 6, fmt::format("{:06o}", sum));
  CHECK(pack(global).annotations.empty());
  CHECK(unzstd(pack(global).bytes) == global);
}

TEST_CASE(
    "zstd:chunked refuses what is no tar and what is cut short; an archive may lack its end mark") {
  std::string tar = tar_of(sample());
  CHECK_THROWS_AS(pack("no tar" + std::string(600, 'x')), Error);
  CHECK_THROWS_AS(pack(tar.substr(0, 700)), Error);
  CHECK_THROWS_AS(pack(tar.substr(0, tar.size() - 2'000'000)), Error);
  std::string open = tar.substr(0, tar.size() - 1024);
  CHECK(unzstd(pack(open).bytes) == open);
  CHECK(pack(open).annotations.size() == 3);
  CHECK(unzstd(pack("").bytes).empty());
  std::string padded = tar + std::string(9'000, '\0');
  CHECK(unzstd(pack(padded).bytes) == padded);
}
