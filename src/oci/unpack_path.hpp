// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/io.hpp"

// How nothing outside `root` is touched: a name is split into its directory and its last component.
// The directory is opened with RESOLVE_IN_ROOT, for which the kernel takes `root` as "/" for links
// and ".."; what is done with the last component is done relative to that descriptor and never
// follows a link. So a layer may hold any links, also ones that it replaces while it is unpacked.
namespace slipway::oci {

/// Bytes that a layer may bring without an entry: pax headers, padding, what follows the end mark.
inline constexpr std::uint64_t kMostRest = 64u << 20;

/// openat2 with RESOLVE_IN_ROOT: a descriptor, or -1 with errno. "" is the root itself.
int open_in_root(int root, const std::string& path, std::uint64_t flags);

/// throws Error{bad_input} that names the entry
[[noreturn]] void refuse_entry(std::string_view path, std::string_view why);
/// errno as the layer's fault when only its content can be the cause, else the disk's.
[[noreturn]] void throw_for(std::string_view path, std::string_view what);

/// A path of the archive as "a/b/c" relative to the root; "" is the root itself. throws Error{bad_input} when it climbs out
std::string clean_entry_path(std::string_view path);

struct SplitPath {
  std::string directory;
  std::string name;
};
SplitPath split_path(const std::string& path);

/// Lets through as many bytes as are due: a layer that goes on without saying anything is a bomb.
class Budget final : public formats::Reader {
 public:
  explicit Budget(formats::Reader& source) : source_(source) {}
  void allow(std::uint64_t bytes) { left_ = bytes; }
  std::size_t read(std::span<char> into) override;

 private:
  formats::Reader& source_;
  std::uint64_t left_ = 0;
};

}  // namespace slipway::oci
