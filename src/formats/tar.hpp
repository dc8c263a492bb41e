// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "formats/io.hpp"

namespace slipway::formats {

enum class TarType { file, hard_link, symlink, char_device, block_device, directory, fifo };

/// Seconds since 1970 (rounded down), and nanoseconds.
struct TarTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  bool operator==(const TarTime&) const = default;
};

/// One entry of a tar archive.
struct TarEntry {
  std::string path;  ///< as in the archive; directories end in '/' when written, without when read
  TarType type = TarType::file;
  std::uint32_t mode = 0644;  ///< permission bits with setuid, setgid and sticky
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< of a file's content
  std::int64_t mtime = 0;  ///< seconds since 1970
  std::uint32_t mtime_ns = 0;
  std::string link_target;  ///< of a symlink or hard link
  std::string user;         ///< names; normally empty in layers
  std::string group;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs;  ///< "security.capability" -> bytes
  bool operator==(const TarEntry&) const = default;
};

/// Writes a tar with ustar headers and a pax header only where ustar cannot say it (long or
/// non-ASCII names, large numbers, xattrs), as Docker's layers have them. The same entries give the
/// same bytes. Nanoseconds are left out.
class TarWriter final {
 public:
  explicit TarWriter(Writer& next) : next_(next) {}
  /// Adds an entry; `content` must give exactly entry.size bytes when it is a file.
  void add(const TarEntry& entry, Reader& content);
  /// Adds an entry with this content; entry.size is taken from it for files.
  void add(TarEntry entry, std::string_view content = "");
  /// The end mark: two empty blocks. Must be called once.
  void finish();

 private:
  void header(const TarEntry& entry);
  void pad(std::uint64_t size);
  Writer& next_;
};

/// What an index of an archive tells of an entry beyond TarEntry.
struct TarDetails {
  std::string path;       ///< as in the archive, with the '/' that directories end in
  std::int64_t mode = 0;  ///< the header's whole number: old writers put the file's type into it
  std::optional<TarTime> atime;  ///< of pax records only, as ctime
  std::optional<TarTime> ctime;
  bool is_sparse = false;  ///< the archive holds less than the entry's content
};

/// Reads old, ustar, GNU (long names, base-256 numbers, sparse files) and pax archives.
class TarReader final {
 public:
  /// buffer  bytes that are read at a time
  explicit TarReader(Reader& source, std::size_t buffer = std::size_t{128} << 10);
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  ~TarReader();
  /// The next entry, skipping what was not read of the former; nothing at the end (which an archive
  /// may leave out).
  ///   throws  Error{bad_input} for a broken header or an archive that is cut short
  std::optional<TarEntry> next();
  /// The content of the entry that next() gave last; valid until the next call.
  Reader& content();
  /// More of the entry that next() gave last; valid until the next call.
  [[nodiscard]] const TarDetails& details() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::formats
