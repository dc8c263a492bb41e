// SPDX-License-Identifier: Apache-2.0
// Layers whose headers lie about sizes: CVE-2025-62518 (one parser takes content for entries) and bombs of every kind.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "formats/zstd.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

namespace fs = std::filesystem;

// A header block with its size field as given: text, or base-256 when it begins with a byte above 0x7f.
std::string raw_header(const std::string& name, std::string size, char type) {
  std::string block(512, '\0');
  auto put = [&](std::size_t at, std::string_view text) { block.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  size.resize(12, '\0');
  put(124, size);
  put(136, "00000000000");
  put(148, "        ");
  put(156, std::string(1, type));
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string(1, '\0'));
  return block;
}

std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512, '\0');
  return content;
}

std::string octal(std::size_t size) { return fmt::format("{:011o}", size); }

std::string pax(const std::string& key, const std::string& value) {
  std::size_t size = key.size() + value.size() + 3;  // " ", "=", "\n"
  std::size_t digits = std::to_string(size).size();
  while (std::to_string(size + digits).size() != digits) ++digits;
  std::string record = fmt::format("{} {}={}\n", size + digits, key, value);
  return raw_header("pax", octal(record.size()), 'x') + padded(record);
}

struct Target {
  os::TempDir dir;
  std::string problem(const std::string& tar, UnpackLimits limits = {}) {
    formats::MemoryReader reader(tar);
    return problem(reader, limits);
  }
  std::string problem(formats::Reader& reader, UnpackLimits limits = {}) {
    os::Fd fd = os::open_file(dir.path().string(), O_RDONLY | O_DIRECTORY);
    try {
      apply_layer(reader, fd, {.own = false, .limits = limits}, {});
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::bad_input);
      return error.what();
    }
    return "";
  }
  bool has(const char* name) const { return fs::exists(dir.path() / name); }
};

const std::string kEnd(1024, '\0');

TEST_CASE("content is never taken for entries: a pax size counts, whatever ustar's says") {
  std::string hidden = raw_header("evil", octal(0), '0');
  for (const std::string& ustar_size : {octal(0), octal(512), octal(99999)}) {
    Target target;
    CHECK(target.problem(pax("size", "512") + raw_header("outer", ustar_size, '0') + hidden +
                         raw_header("after", octal(0), '0') + kEnd) == "");
    CHECK(target.has("outer"));
    CHECK(target.has("after"));
    CHECK_FALSE(target.has("evil"));
    CHECK(fs::file_size(target.dir.path() / "outer") == 512);
  }
  // The other way: nothing is skipped that ustar alone would call content.
  Target target;
  CHECK(target.problem(pax("size", "0") + raw_header("outer", octal(512), '0') +
                       raw_header("after", octal(0), '0') + kEnd) == "");
  CHECK(target.has("after"));
}

TEST_CASE(
    "sizes that cannot be are refused: negative, no number, beyond the end, beyond any disk") {
  const std::string negative = std::string(12, '\xff');
  const std::string huge("\x80\0\0\0\x10\0\0\0\0\0\0\0", 12);  // base 256: 2^60
  for (const std::string& size : {negative, std::string("-0000000001"), std::string("12x45678901"),
                                  std::string("99999999999"), octal(5000)}) {
    Target target;
    CHECK(target.problem(raw_header("f", size, '0') + "x" + kEnd) != "");
  }
  Target target;
  CHECK(target.problem(raw_header("f", huge, '0') + kEnd) != "");
  for (const char* size : {"-1", "1152921504606846976", "18446744073709551616", "1e3", "0x10"})
    CHECK(target.problem(pax("size", size) + raw_header("f", octal(0), '0') + kEnd) != "");
  // A sparse file of an exabyte, without a byte of data.
  CHECK(target.problem(pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") +
                       pax("GNU.sparse.realsize", "1152921504606846976") +
                       raw_header("s", octal(512), '0') + padded("0\n") + kEnd) != "");
}

TEST_CASE("a bomb of zeros takes no room, one of anything else ends at the limit") {
  // 256 MiB of zeros in less than a megabyte.
  constexpr std::uint64_t kSize = 256u << 20;
  auto bomb = [&](char filling) {
    formats::StringWriter out;
    formats::ZstdWriter zstd(out);
    zstd.write(raw_header("bomb", octal(kSize), '0'));
    const std::string piece(1u << 20, filling);
    for (std::uint64_t i = 0; i < kSize; i += piece.size()) zstd.write(piece);
    zstd.write(kEnd);
    zstd.finish();
    return out.take();
  };
  Target zeros;
  std::string packed = bomb('\0');
  CHECK(packed.size() < (1u << 20));
  formats::MemoryReader memory(packed);
  auto tar = decompress(memory);
  CHECK(zeros.problem(*tar) == "");
  struct stat info {};
  REQUIRE(::stat((zeros.dir.path() / "bomb").c_str(), &info) == 0);
  CHECK(static_cast<std::uint64_t>(info.st_size) == kSize);
  CHECK(static_cast<std::uint64_t>(info.st_blocks) * 512 < kSize / 16);
  Target limited;
  std::string other = bomb('x');
  formats::MemoryReader second(other);
  auto full = decompress(second);
  CHECK(limited.problem(*full, {.bytes = 1u << 20}) != "");
  CHECK_FALSE(limited.has("bomb"));
}

TEST_CASE("names of a thousand levels, of nothing and of what only looks like ours") {
  Target target;
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "d/";
  CHECK(target.problem(pax("path", deep + "f") + raw_header("x", octal(0), '0') + kEnd) == "");
  CHECK(target.has((deep + "f").c_str()));
  for (const std::string& name : {std::string(5000, 'n'), std::string("a/") + std::string(300, 'n'),
                                  std::string("a/../../f"), std::string("/../f")}) {
    Target other;
    CHECK(other.problem(pax("path", name) + raw_header("x", octal(0), '0') + kEnd) != "");
  }
  Target folded;  // files that only another file system would take for one
  CHECK(folded.problem(raw_header("File", octal(0), '0') + raw_header("file", octal(0), '0') +
                       raw_header("caf\xc3\xa9", octal(0), '0') +
                       raw_header("cafe\xcc\x81", octal(0), '0') + kEnd) == "");
  CHECK(std::distance(fs::directory_iterator(folded.dir.path()), {}) == 4);
}

}  // namespace
}  // namespace slipway::oci
