// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace slipway::actions {

/// Saved trees by key: STATE/cache/SCOPE/HASH.tar beside HASH.json. An entry appears by a rename and is never changed.
///   threads  any, and several processes on one directory
class CacheStore final {
 public:
  /// `scope` keeps repositories apart: "owner/name".
  CacheStore(const std::filesystem::path& root, const std::string& scope);

  struct Entry {
    std::string key;
    std::filesystem::path archive;  ///< a tar
  };
  /// The entry of exactly `key`, else the newest whose key begins with one of `prefixes`, the first prefix that has one first.
  ///   version  what else must agree (paths)
  [[nodiscard]] std::optional<Entry> find(const std::string& key, const std::vector<std::string>& prefixes, const std::string& version) const;
  /// Takes an archive in by renaming (or copying) it; false when the key is there already. The oldest entries of all scopes go
  /// when more than `most_bytes` are kept.
  bool save(const std::string& key, const std::string& version, const std::filesystem::path& archive, std::uintmax_t most_bytes = std::uintmax_t{10} << 30);

 private:
  void prune(std::uintmax_t most_bytes) const;

  std::filesystem::path root_;
  std::filesystem::path directory_;
};

}  // namespace slipway::actions
