// SPDX-License-Identifier: Apache-2.0
#include "formats/tar.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/error.hpp"
#include "formats/tar_block.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

struct Folder {
  std::string path = "/tmp/slipway-tar-XXXXXX";
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  void run(const std::string& script) const {
    REQUIRE(std::system(("cd " + path + " && " + script).c_str()) == 0);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

using Entries = std::vector<std::pair<TarEntry, std::string>>;

Entries read(std::string_view bytes) {
  MemoryReader memory(bytes);
  TarReader reader(memory);
  Entries entries;
  while (auto entry = reader.next()) {
    std::string content = read_all(reader.content());
    entries.emplace_back(std::move(*entry), std::move(content));
  }
  CHECK(memory.rest().empty());
  return entries;
}

const std::pair<TarEntry, std::string>& named(const Entries& entries, std::string_view path) {
  for (const auto& one : entries) {
    if (one.first.path == path) return one;
  }
  FAIL("no entry '" << std::string(path) << "'");
  return entries.front();
}

Entries samples() {
  std::string long_name = std::string(120, 'd') + "/" + std::string(200, 'f');
  Entries entries;
  entries.push_back(
      {{.path = "dir", .type = TarType::directory, .mode = 01777, .mtime = 1'700'000'000}, ""});
  entries.push_back({{.path = "dir/file",
                      .mode = 04755,
                      .uid = 1000,
                      .gid = 100,
                      .size = 5,
                      .mtime = 1,
                      .user = "u",
                      .group = "g"},
                     "hello"});
  entries.push_back({{.path = long_name, .size = 513}, std::string(513, 'x')});
  entries.push_back({{.path = "ä/ö", .size = 0}, ""});
  entries.push_back({{.path = "link",
                      .type = TarType::symlink,
                      .mode = 0777,
                      .link_target = std::string(150, 't')},
                     ""});
  entries.push_back({{.path = "hard", .type = TarType::hard_link, .link_target = "dir/file"}, ""});
  entries.push_back({{.path = "null",
                      .type = TarType::char_device,
                      .mode = 0666,
                      .device_major = 1,
                      .device_minor = 3},
                     ""});
  entries.push_back({{.path = "sda", .type = TarType::block_device, .device_major = 8}, ""});
  entries.push_back({{.path = "pipe", .type = TarType::fifo}, ""});
  entries.push_back(
      {{.path = "big-ids", .uid = 3'000'000'000, .gid = 2'097'152, .size = 1, .mtime = -5}, "y"});
  entries.push_back(
      {{.path = "xattr",
        .size = 1,
        .xattrs = {{"security.capability", std::string("\x01\0\n=\0\x02", 6)}, {"user.a", ""}}},
       "z"});
  return entries;
}

std::string write(const Entries& entries) {
  StringWriter out;
  TarWriter writer(out);
  for (const auto& [entry, content] : entries) {
    MemoryReader reader(content);
    writer.add(entry, reader);
  }
  writer.finish();
  return out.take();
}

std::string tar_refusal(std::string_view bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::bad_input);
    return error.what();
  }
  return "accepted";
}

/// The header's checksum made right again after a change.
void fix_checksum(std::string& tar, std::size_t at) {
  TarBlock block{};
  std::copy_n(tar.data() + at, block.size(), block.data());
  std::string digits = fmt::format("{:06o}", tar_checksum(block));
  std::copy(digits.begin(), digits.end(), tar.data() + at + kTarChecksum.offset);
}

}  // namespace

TEST_CASE("what is written reads back the same") {
  Entries entries = samples();
  std::string tar = write(entries);
  CHECK(tar.size() % 512 == 0);
  Entries back = read(tar);
  REQUIRE(back.size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(entries[i].first.path);
    CHECK(back[i].first == entries[i].first);
    CHECK(back[i].second == entries[i].second);
  }
}

TEST_CASE("GNU tar and bsdtar list what is written") {
  Folder folder;
  Entries entries = samples();
  std::ofstream(folder.path + "/a.tar", std::ios::binary) << write(entries);
  folder.run("tar -tvf a.tar > gnu 2>err && test ! -s err && bsdtar -tf a.tar > bsd");
  std::string gnu = folder.read("gnu");
  CHECK(std::count(gnu.begin(), gnu.end(), '\n') == static_cast<std::ptrdiff_t>(entries.size()));
  CHECK(gnu.find("-rwsr-xr-x u/g") != std::string::npos);
  CHECK(gnu.find("hard link to dir/file") != std::string::npos);
  std::string bsd = folder.read("bsd");
  CHECK(bsd.find(std::string(120, 'd') + "/" + std::string(200, 'f') + "\n") != std::string::npos);
  CHECK(bsd.starts_with("dir/\n"));
}

TEST_CASE(
    "a header is what Go's archive/tar writes: ustar, device numbers, a checksum of six digits") {
  std::string tar = write({{{.path = "a", .mode = 0644, .size = 0, .mtime = 0}, ""}});
  CHECK(tar.size() == 3 * 512);
  CHECK(tar.substr(100, 8) == std::string("0000644\0", 8));
  CHECK(tar.substr(124, 12) == std::string("00000000000\0", 12));
  CHECK(tar.substr(154, 3) == std::string("\0 0", 3));
  CHECK(tar.substr(257, 8) == std::string("ustar\0"
                                          "00",
                                          8));
  CHECK(tar.substr(329, 16) == std::string("0000000\0"
                                           "0000000\0",
                                           16));
  std::string extended = write({{{.path = "d/" + std::string(120, 'n'), .size = 0}, ""}});
  CHECK(extended.substr(0, 15) == "d/PaxHeaders.0/");
  CHECK(extended[156] == 'x');
  CHECK(extended.substr(512, 12) == "132 path=d/n");
}

TEST_CASE("archives of GNU tar in every format read the same") {
  Folder folder;
  std::string name(140, 'n');
  folder.run("mkdir -p t/" + name + " && printf hello > t/" + name + "/" + name + " && ln t/" +
             name + "/" + name + " t/hard && ln -s " + name + name +
             " t/soft && mkfifo t/pipe && printf ustar > t/short");
  for (const std::string format : {"gnu", "posix", "oldgnu"}) {
    CAPTURE(format);
    folder.run("tar --sort=name --format=" + format + " -cf " + format + ".tar t");
    Entries entries = read(folder.read(format + ".tar"));
    CHECK(entries.size() == 7);
    CHECK(named(entries, "t").first.type == TarType::directory);
    bool is_hard_first = named(entries, "t/hard").first.type == TarType::file;
    CHECK(named(entries, is_hard_first ? "t/hard" : "t/" + name + "/" + name).second == "hello");
    CHECK(named(entries, "t/soft").first.link_target == name + name);
    CHECK(named(entries, "t/pipe").first.type == TarType::fifo);
    CHECK(named(entries, "t/short").second == "ustar");
  }
  folder.run("cd t && tar --format=v7 -cf ../v7.tar short && tar --format=ustar -cf ../ustar.tar " +
             name + "/../short short 2>/dev/null");
  CHECK(named(read(folder.read("v7.tar")), "short").second == "ustar");
  CHECK(read(folder.read("ustar.tar")).size() == 2);
}

TEST_CASE("sparse files of every GNU format come out whole") {
  Folder folder;
  folder.run(
      "truncate -s 5000000 s && printf begin | dd of=s conv=notrunc status=none && "
      "for i in 1 2 3 4 5 6 7 8 9; do printf piece$i | dd of=s conv=notrunc bs=1 seek=$((i * "
      "400000)) status=none; done");
  std::string expected = folder.read("s");
  REQUIRE(expected.size() == 5'000'000);
  for (const std::string options :
       {"--format=gnu", "--format=posix --sparse-version=0.0",
        "--format=posix --sparse-version=0.1", "--format=posix --sparse-version=1.0"}) {
    CAPTURE(options);
    folder.run("tar -S " + options + " -cf s.tar s");
    std::string tar = folder.read("s.tar");
    CHECK(tar.size() < 1'000'000);
    Entries entries = read(tar);
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].first.path == "s");
    CHECK(entries[0].first.size == expected.size());
    CHECK(entries[0].second == expected);
  }
}

TEST_CASE("content that is not read is skipped, and an archive without an end mark is whole") {
  std::string tar = write(samples());
  MemoryReader memory(tar);
  TarReader reader(memory);
  std::size_t count = 0;
  while (reader.next()) ++count;
  CHECK(count == samples().size());
  CHECK_FALSE(reader.next());
  CHECK(read(std::string_view(tar).substr(0, tar.size() - 1024)).size() == count);
  CHECK(read("").empty());
}

TEST_CASE("a cut or damaged archive is refused, never taken for a shorter one") {
  std::string tar = write({{{.path = "a", .size = 2000}, std::string(2000, 'a')}});
  for (std::size_t size : {std::size_t{100}, std::size_t{511}, std::size_t{600}, std::size_t{2000},
                           std::size_t{2400}}) {
    CAPTURE(size);
    CHECK(tar_refusal(std::string_view(tar).substr(0, size)).find("cut short") !=
          std::string::npos);
  }
  std::string wrong = tar;
  wrong[0] = 'b';
  CHECK(tar_refusal(wrong).find("checksum") != std::string::npos);
  std::string bad_number = tar;
  bad_number[130] = '9';
  fix_checksum(bad_number, 0);
  CHECK(tar_refusal(bad_number).find("no number") != std::string::npos);
  std::string negative = tar;
  std::fill_n(negative.data() + 124, 12, '\xff');
  fix_checksum(negative, 0);
  CHECK(tar_refusal(negative).find("out of range") != std::string::npos);
  std::string pax = write({{{.path = std::string(200, 'p'), .size = 0}, ""}});
  std::string bad_length = pax;
  bad_length[512] = '9';
  CHECK(tar_refusal(bad_length).find("pax record") != std::string::npos);
  CHECK(tar_refusal(std::string_view(pax).substr(0, 1024)).find("cut short") != std::string::npos);
}

TEST_CASE("a file that shrinks while it is added is an error") {
  StringWriter out;
  TarWriter writer(out);
  MemoryReader reader("abc");
  CHECK_THROWS_AS(writer.add({.path = "a", .size = 4}, reader), Error);
  CHECK_THROWS_AS(writer.add({.path = ""}, "x"), Error);
}
