// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "image/tree.hpp"

namespace slipway::image {

/// SHA-256 of files' contents, remembered over builds by what lstat tells of them: a file that was not touched is not read again.
/// A file changed within the last moments before it was read is hashed anew next time, since its times may not tell a further change.
///   threads  any
class FileHashes final {
 public:
  using Hash = std::array<char, 32>;

  /// `file` is read now when it exists; one that is not ours counts as empty.
  explicit FileHashes(std::filesystem::path file);
  FileHashes(const FileHashes&) = delete;
  FileHashes& operator=(const FileHashes&) = delete;

  /// Hashes the regular files among `nodes` that are not known yet, several at a time.
  void learn(std::span<const Node* const> nodes, const std::stop_token& stop);
  /// The hash of a regular file's content.
  Hash of(const Node& node);
  /// Writes the file when something was learned.
  void save();

 private:
  struct Key {
    std::uint64_t device, inode, size;
    std::int64_t mtime_ns, ctime_ns;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return static_cast<std::size_t>(key.inode * 0x9E3779B97F4A7C15u ^
                                      static_cast<std::uint64_t>(key.ctime_ns) ^ key.size);
    }
  };
  struct Known {
    Hash hash;
    bool is_settled = true;  // may be kept for later builds
    bool is_used = false;
  };
  static Key key_of(const Node& node);
  static Hash read(const Node& node);

  std::filesystem::path file_;
  std::mutex mutex_;
  std::unordered_map<Key, Known, KeyHash> known_;  // guarded by mutex_
  bool changed_ = false;                           // guarded by mutex_
};

}  // namespace slipway::image
