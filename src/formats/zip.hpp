// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "formats/io.hpp"

namespace slipway::formats {

/// A file in a zip archive.
struct ZipEntry {
  std::string path;  ///< as in the archive: '/' between its parts
  std::uint32_t mode = 0644;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< seconds since 1970
  bool is_directory = false;
};

/// Writes a zip archive: deflate, and zip64 where it must be.
class ZipWriter final {
 public:
  /// level  0 (stored) to 9
  ZipWriter(const std::filesystem::path& file, int level);
  ~ZipWriter();
  /// Adds a file; `content` must give exactly entry.size bytes.
  void add(const ZipEntry& entry, Reader& content);
  /// Writes the directory; must be called once.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads a zip archive from a file, entry by entry.
class ZipReader final {
 public:
  explicit ZipReader(const std::filesystem::path& file);
  ~ZipReader();
  /// The next file or directory (links are passed over); nothing at the end.
  ///   throws  Error{bad_input} for what is no zip, is cut short, or has a name that leads out of where it is unpacked
  std::optional<ZipEntry> next();
  /// The content of the entry that next() gave last; valid until the next call.
  Reader& content();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::formats
