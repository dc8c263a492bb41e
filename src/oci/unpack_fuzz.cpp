// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cstdlib>

#include "base/error.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

/// Any bytes are applied, or refused with Error{bad_input}; nothing beside the root is touched. The second half of an even input is a
/// second layer on the first: links that one leaves are there for the other.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway;
  static const os::TempDir place("/dev/shm");
  auto root = place.path() / "root";
  os::make_dirs(root);
  os::write_file(place.path() / "canary", "alive");
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::size_t half = size / 1024 * 512;
  oci::UnpackOptions options;
  options.own = false;
  options.limits = {.bytes = 1U << 20, .entries = 1000};
  for (auto part : {bytes.substr(0, half), bytes.substr(half)}) {
    try {
      formats::MemoryReader layer(part);
      os::Fd directory = os::open_file(root.string(), O_RDONLY | O_DIRECTORY);
      oci::apply_layer(layer, directory, options, {});
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_input) std::abort();
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
