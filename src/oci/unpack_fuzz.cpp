// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace {

using namespace slipway;

// Takes an input apart; at its end everything is 0.
struct Choices {
  std::string_view rest;
  std::size_t below(std::size_t count) {
    if (rest.empty()) return 0;
    auto byte = static_cast<unsigned char>(rest[0]);
    rest.remove_prefix(1);
    return byte % count;
  }
  std::string bytes(std::size_t count) {
    std::string taken(rest.substr(0, count));
    rest.remove_prefix(taken.size());
    taken.resize(count);
    return taken;
  }
};

// A path of few names, so that entries meet each other: links and what goes through them, whiteouts, ways out.
std::string path(Choices& choices) {
  constexpr std::array kNames = {"a",
                                 "b",
                                 "c",
                                 "..",
                                 ".",
                                 "",
                                 ".wh.a",
                                 ".wh.b",
                                 ".wh.c",
                                 "d",
                                 ".wh..wh..opq",
                                 ".wh..wh.plnk",
                                 "é",
                                 "a",
                                 "b",
                                 "canary"};
  std::string made = choices.below(8) == 7 ? "/" : "";
  for (std::size_t left = choices.below(4) + 1; left > 0; --left) {
    made += kNames.at(choices.below(kNames.size()));
    if (left > 1) made += '/';
  }
  return made;
}

void put(std::string& block, std::size_t at, std::string_view text, std::size_t most) {
  std::memcpy(block.data() + at, text.data(), std::min(text.size(), most));
}

// An entry with a right checksum. source POSIX pax, "ustar Interchange Format"
void add_entry(std::string& tar, std::string_view name, char type, std::string_view link,
               std::string_view content, unsigned mode) {
  std::string block(512, '\0');
  put(block, 0, name, 100);
  put(block, 100, fmt::format("{:07o}", mode), 8);
  put(block, 108, "0000000", 8);
  put(block, 116, "0000000", 8);
  put(block, 124, fmt::format("{:011o}", content.size()), 12);
  put(block, 136, "00000000001", 12);
  put(block, 148, "        ", 8);
  block[156] = type;
  put(block, 157, link, 100);
  put(block, 257, std::string_view("ustar\00000", 8), 8);
  put(block, 329, "0000001", 8);
  put(block, 337, "0000003", 8);
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, fmt::format("{:06o}", sum), 6);
  block[154] = '\0';
  tar += block;
  tar += content;
  tar.resize((tar.size() + 511) / 512 * 512);
}

std::string record(std::string_view key, std::string_view value) {
  std::size_t size = key.size() + value.size() + 3;
  std::size_t digits = std::to_string(size).size();
  digits = std::to_string(size + digits).size();
  return fmt::format("{} {}={}\n", size + digits, key, value);
}

// Some entries of all kinds, longer names and attributes among them.
std::string layer(Choices& choices) {
  constexpr std::string_view kTypes = "001122334455667S";
  constexpr std::array kKeys = {"path",
                                "linkpath",
                                "size",
                                "mtime",
                                "uid",
                                "SCHILY.xattr.user.a",
                                "GNU.sparse.map",
                                "hdrcharset",
                                "SCHILY.xattr.security.capability",
                                "GNU.sparse.realsize"};
  std::string tar;
  for (std::size_t left = choices.below(12) + 1; left > 0 && !choices.rest.empty(); --left) {
    std::size_t before = choices.below(8);
    if (before == 5) {
      std::string_view key = kKeys.at(choices.below(kKeys.size()));
      std::string value = key.ends_with("path") ? path(choices) : choices.bytes(choices.below(20));
      add_entry(tar, "pax", choices.below(4) == 0 ? 'g' : 'x', "", record(key, value), 0644);
    } else if (before > 5) {
      add_entry(tar, "././@LongLink", before == 6 ? 'L' : 'K', "", path(choices) + '\0', 0644);
    }
    char type = kTypes.at(choices.below(kTypes.size()));
    std::string name = path(choices);
    bool is_link = type == '1' || type == '2';
    std::string content = type == '0' || type == '7' || type == 'S'
                              ? choices.bytes(choices.below(40))
                              : std::string();
    add_entry(tar, name, type, is_link ? path(choices) : "", content,
              static_cast<unsigned>(choices.below(256)) * 16 + 0700);
  }
  if (choices.below(8) == 1) return tar.substr(0, tar.size() / 3 * 2);
  return tar + std::string(1024, '\0');
}

}  // namespace

/// Any bytes are applied, or refused with Error{bad_input}; nothing beside the root is touched. The second layer goes onto the first:
/// links that one leaves are there for the other. Bytes that begin with an odd one are the layers themselves, else entries are made of
/// them: chance makes no checksums.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const os::TempDir place("/dev/shm");
  auto root = place.path() / "root";
  os::make_dirs(root);
  os::write_file(place.path() / "canary", "alive");
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 2> layers;
  if (size > 0 && bytes[0] % 2 != 0) {
    const std::size_t half = size / 1024 * 512;
    layers = {std::string(bytes.substr(1, half)),
              std::string(bytes.substr(std::min(size, half + 1)))};
  } else {
    Choices choices{bytes.substr(std::min<std::size_t>(size, 1))};
    for (std::string& one : layers) one = layer(choices);
  }
  oci::UnpackOptions options;
  options.own = false;
  options.limits = {.bytes = 1U << 20, .entries = 1000};
  for (const std::string& part : layers) {
    try {
      formats::MemoryReader reader(part);
      os::Fd directory = os::open_file(root.string(), O_RDONLY | O_DIRECTORY);
      oci::apply_layer(reader, directory, options, {});
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_input) {
        fmt::print(stderr, "{}\n", error.what());
        std::abort();
      }
    }
  }
  std::size_t names = 0;
  for (const auto& entry : std::filesystem::directory_iterator(place.path())) {
    ++names;
    static_cast<void>(entry);
  }
  if (names != 2 || os::read_file(place.path() / "canary") != "alive") std::abort();
  os::remove_tree(root);
  return 0;
}
