// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "formats/tar.hpp"
#include "image/dockerignore.hpp"

namespace slipway::image {

/// One file as a tree shows it. Hard links show as the files they are.
struct Node {
  formats::TarType type = formats::TarType::file;
  std::uint32_t mode = 0644;  ///< permission bits with setuid, setgid, sticky
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::uint32_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  ///< nanoseconds since 1970
  std::uint64_t device =
      0;  ///< with inode: which file it is on disk; 0, 0 for files that are on none
  std::uint64_t inode = 0;
  std::uint32_t links = 1;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::string real;  ///< where its content is on disk; empty when `content` has it
  std::shared_ptr<const std::string> content;  ///< of a file that is on no disk
  std::string link_target;                     ///< of a symlink
  std::map<std::string, std::string>
      xattrs;  ///< filled only for files that are on no disk; see read_xattrs()

  [[nodiscard]] bool is_directory() const { return type == formats::TarType::directory; }
  [[nodiscard]] bool is_file() const { return type == formats::TarType::file; }
  [[nodiscard]] bool is_symlink() const { return type == formats::TarType::symlink; }
};

/// What lstat tells of a path; nothing for sockets and what does not exist. `is_whiteout`: an overlay's mark that a file is gone.
std::optional<Node> node_of(const struct stat& status, std::string real);

/// A layer that was not written to disk: its files by path (relative, "etc/passwd"). Never changed once made.
using Entries = std::map<std::string, Node>;

/// A layer as a tree reads it: a directory in overlayfs's format, or entries in memory.
using TreeLayer = std::variant<std::filesystem::path, std::shared_ptr<const Entries>>;

/// `name` below `directory`, as paths inside a tree are written: without a slash at either end; "" is the root.
inline std::string joined(const std::string& directory, std::string_view name) {
  if (name.empty()) return directory;
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

/// A file system made of layers, read without mounting it: whiteouts, opaque directories and links mean what overlayfs makes of them,
/// and no link leads out of it. The layers must not change meanwhile.
///   threads  any; calls wait for each other
class Tree final {
 public:
  /// layers  top-most first; none: an empty root
  /// ignore  leaves paths out (build contexts); borrowed; may be nullptr
  explicit Tree(std::vector<TreeLayer> layers, const IgnoreMatcher* ignore = nullptr);
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree();

  struct Found {
    std::string path;  ///< without links in it, relative to the root, "" for the root
    Node node;
  };
  /// Nothing when it does not exist. `path` may be absolute; ".." stops at the root.
  ///   follow  also a link at the end of the path
  std::optional<Found> lookup(std::string_view path, bool follow);
  /// The path with links in it resolved as far as it exists; the rest is appended as it is.
  std::string resolve(std::string_view path);
  using Child = std::pair<const std::string, Node>;
  /// What is in a directory, sorted by name; `path` as lookup() returned it. Nothing when it is no directory. Borrowed from the tree.
  std::vector<const Child*> list(const std::string& path);
  /// True when the patterns it was made with leave the path out.
  [[nodiscard]] bool leaves_out(std::string_view path) const;
  /// Reads all that is below a directory, with several threads: for those who will ask for all of it.
  void read_ahead(const std::string& path);
  /// Everything below a directory, as a layer of its own.
  Entries entries_below(const std::string& path, bool with_xattrs);
  /// The content of a small file; nothing when there is none.
  std::optional<std::string> read(std::string_view path, std::size_t most_bytes = 4u << 20);

 private:
  struct Directory;
  class ReadAhead;
  Directory* directory(const std::string& path);
  [[nodiscard]] std::unique_ptr<Directory> make_directory(const Directory& parent,
                                                          const std::string& path,
                                                          const std::string& name) const;
  void fill(const std::string& path, Directory& directory) const;
  void fill_from_disk(const std::string& path, Directory& directory, const std::string& real) const;
  bool shows(const std::string& path);
  std::optional<Found> walk(std::string_view path, bool follow, std::string* rest);

  std::vector<TreeLayer> layers_;
  const IgnoreMatcher* ignore_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Directory>> directories_;  // guarded by mutex_
};

/// The extended attributes that belong into a layer.
std::map<std::string, std::string> read_xattrs(const std::string& real);

}  // namespace slipway::image
