// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <type_traits>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/gzip.hpp"
#include "formats/sha256.hpp"
#include "formats/zstd.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

/// Text-like bytes that are the same in every run.
std::string sample(std::size_t size) {
  std::minstd_rand random(7);
  std::string text;
  while (text.size() < size) {
    // One call a statement: the order of two in one expression is the compiler's choice.
    const char* end = random() % 7 == 0 ? " something else\n" : "\n";
    text += "line " + std::to_string(random() % 1000) + end;
  }
  text.resize(size);
  return text;
}

/// Gives at most `most` bytes a call.
class Slow final : public Reader {
 public:
  Slow(std::string_view bytes, std::size_t most) : memory_(bytes), most_(most) {}
  std::size_t read(std::span<char> into) override {
    return memory_.read(into.first(std::min(most_, into.size())));
  }

 private:
  MemoryReader memory_;
  std::size_t most_;
};

template <typename WriterType>
std::string pack(std::string_view bytes, unsigned threads, std::size_t piece) {
  StringWriter out;
  WriterType writer(out, threads);
  for (std::size_t at = 0; at < bytes.size(); at += piece) writer.write(bytes.substr(at, piece));
  writer.finish();
  return out.take();
}

template <typename ReaderType>
std::string unpack(std::string_view bytes, std::size_t piece, std::uint64_t most = 1U << 30) {
  Slow source(bytes, piece);
  ReaderType reader(source, most);
  return read_all(reader);
}

struct CompressFolder {
  std::string path = "/tmp/slipway-compress-XXXXXX";
  CompressFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~CompressFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("gzip gives the same bytes whatever the pieces and the threads, and they come back") {
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20,
                           (std::size_t{1} << 20) + 1, std::size_t{3'500'000}}) {
    CAPTURE(size);
    std::string text = sample(size);
    std::string packed = pack<GzipWriter>(text, 1, 1 << 20);
    CHECK(packed == pack<GzipWriter>(text, 3, 77'777));
    CHECK(looks_like_gzip(packed));
    CHECK(unpack<GzipReader>(packed, 1 << 20) == text);
    CHECK(gunzip(packed) == text);
  }
  std::string text = sample(100'000);
  CHECK(unpack<GzipReader>(gzip(text), 1) == text);
}

TEST_CASE("every level of gzip and zstd gives one member or frame, the same for any threads") {
  std::string text = sample(2'500'000);
  auto packed_at = [&](auto kind, int level, unsigned threads) {
    StringWriter out;
    typename decltype(kind)::type writer(out, threads, level);
    writer.write(text);
    writer.finish();
    return out.take();
  };
  for (int level = 0; level <= 9; ++level) {
    CAPTURE(level);
    std::string packed = packed_at(std::type_identity<GzipWriter>(), level, 1);
    CHECK(packed == packed_at(std::type_identity<GzipWriter>(), level, 3));
    CHECK(gunzip(packed) == text);
  }
  CHECK(packed_at(std::type_identity<GzipWriter>(), 1, 1) == gzip(text));
  CHECK(packed_at(std::type_identity<GzipWriter>(), 9, 1).size() < gzip(text).size());
  std::string small = packed_at(std::type_identity<ZstdWriter>(), 19, 1);
  CHECK(small == packed_at(std::type_identity<ZstdWriter>(), 19, 2));
  CHECK(unpack<ZstdReader>(small, 1 << 20) == text);
}

TEST_CASE("the bytes of gzip are part of every layer's digest and must never change") {
  CHECK(hex(gzip("")) ==
        "1f8b08000000000000ff"
        "010000ffff"
        "0000000000000000");
  std::string packed = gzip(sample(2'500'000));
  CHECK(sha256_hex(packed) == "529be342550a5ffca8fa96607f58a7981a0fb109a0e7c98c3098cafb43a2701d");
}

TEST_CASE("the gzip tool reads what we write and we read what it writes, also several members") {
  CompressFolder folder;
  std::string text = sample(2'300'000);
  std::ofstream(folder.path + "/a.gz", std::ios::binary) << gzip(text);
  std::ofstream(folder.path + "/b", std::ios::binary) << text;
  std::string script =
      "cd " + folder.path +
      " && gzip -t a.gz && gunzip -c a.gz | cmp - b && gzip -9c b > m.gz && gzip -1c b >> m.gz";
  REQUIRE(std::system(script.c_str()) == 0);
  std::ifstream in(folder.path + "/m.gz", std::ios::binary);
  std::string members(std::istreambuf_iterator<char>(in), {});
  CHECK(unpack<GzipReader>(members, 10'000) == text + text);
}

TEST_CASE("damaged, cut, empty and too large gzip data is refused") {
  std::string text = sample(500'000);
  std::string good = gzip(text);
  std::string damaged = good;
  damaged[good.size() / 2] = static_cast<char>(damaged[good.size() / 2] ^ 0x55);
  CHECK_THROWS_AS(gunzip(damaged), Error);
  for (std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{10}, good.size() / 2,
                           good.size() - 8, good.size() - 1}) {
    CAPTURE(size);
    CHECK_THROWS_AS(gunzip(std::string_view(good).substr(0, size)), Error);
  }
  std::string wrong_sum = good;
  wrong_sum[good.size() - 5] = static_cast<char>(wrong_sum[good.size() - 5] ^ 1);
  CHECK_THROWS_AS(gunzip(wrong_sum), Error);
  CHECK_THROWS_AS(gunzip("this is text, not gzip"), Error);
  CHECK_THROWS_AS(unpack<GzipReader>(good, 100'000, 499'999), Error);
  CHECK(unpack<GzipReader>(good, 100'000, 500'000) == text);
  CHECK_THROWS_AS(gunzip(good + "garbage after it"), Error);
  CHECK(gunzip(good + std::string(100, '\0')) == text);
}

TEST_CASE("gzip ends well however many whole blocks there are, and however fast they are") {
  for (std::size_t blocks : {std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{9}}) {
    std::string text(blocks << 20, 'a');
    std::string packed = pack<GzipWriter>(text, 1, 1 << 20);
    for (int again = 0; again < 20; ++again)
      CHECK(packed == pack<GzipWriter>(text, 2, std::size_t{1} << 18));
    CHECK(gunzip(packed) == text);
  }
}

TEST_CASE("zstd gives the same bytes for any number of threads, and they come back") {
  std::string text = sample(3'500'000);
  std::string packed = pack<ZstdWriter>(text, 1, 1 << 20);
  CHECK(packed == pack<ZstdWriter>(text, 3, 77'777));
  CHECK(looks_like_zstd(packed));
  CHECK(unpack<ZstdReader>(packed, 1 << 20) == text);
  CHECK(unpack<ZstdReader>(packed + packed, 1'000) == text + text);
  CHECK(unpack<ZstdReader>(pack<ZstdWriter>("", 1, 1), 10).empty());
  CHECK_THROWS_AS(unpack<ZstdReader>(packed.substr(0, packed.size() / 2), 1 << 20), Error);
  CHECK_THROWS_AS(unpack<ZstdReader>(packed.substr(0, packed.size() - 1), 1 << 20), Error);
  CHECK_THROWS_AS(unpack<ZstdReader>("", 10), Error);
  CHECK_THROWS_AS(unpack<ZstdReader>("nothing of the kind", 10), Error);
  CHECK_THROWS_AS(unpack<ZstdReader>(packed, 1 << 20, 3'000'000), Error);
}
