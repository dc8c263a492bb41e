// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.hpp"

namespace slipway::workflow {

/// Which branches' caches a run may read, in the order of looking, and under which it saves.
///   source  docs.github.com, "Dependency caching reference", "Restrictions for accessing a cache"
struct CacheScope {
  std::vector<std::string>
      read;  ///< refs: the run's own, a pull request's base, the default branch
  std::string write;
  bool operator==(const CacheScope&) const = default;
};
/// `github`  the context: ref, event_name, base_ref, event
CacheScope cache_scope(const formats::Json& github);

/// The version that the official client gives a cache: what else than its key must agree.
///   paths        as the workflow says them
///   compression  "zstd-without-long", "gzip"; empty: none
///   source       actions/toolkit, packages/cache, cacheUtils.ts getCacheVersion
std::string cache_version(std::vector<std::string> paths, const std::string& compression);

/// Saved archives by key, version and branch: STATE/cache/REPOSITORY/HASH.tar beside HASH.json. An entry appears by a rename and is
/// never changed.
///   threads  any, and several processes on one directory
class CacheStore final {
 public:
  /// `repository` keeps repositories apart: "owner/name".
  CacheStore(const std::filesystem::path& root, const std::string& repository);

  struct Entry {
    std::string key;
    std::string version;
    std::string ref;
    std::string
        expected;  ///< the compression that clients which know the version expect; empty: the archive's own
    std::int64_t id = 0;
    std::int64_t created_ms = 0;
    std::filesystem::path archive;  ///< a tar, perhaps compressed
  };
  /// Branch by branch: the entry of exactly `key`, else the newest whose key begins with `key` or one of `prefixes`, the first prefix
  /// that has one first.
  ///   versions  any of them will do
  [[nodiscard]] std::optional<Entry> find(const std::string& key,
                                          const std::vector<std::string>& prefixes,
                                          const std::vector<std::string>& versions,
                                          const std::vector<std::string>& refs) const;
  /// True when save() of the same would come too late.
  [[nodiscard]] bool contains(const std::string& key, const std::string& version,
                              const std::string& ref) const;
  /// Takes an archive in by renaming (or copying) it; nothing when the key is there already. What was used least lately of all
  /// repositories goes when more than `most_bytes` are kept.
  ///   entry  key, version, ref and expected count
  std::optional<Entry> save(Entry entry, const std::filesystem::path& archive,
                            std::uintmax_t most_bytes = std::uintmax_t{10} << 30);
  /// Compresses a plain archive as `expected` says, in its place; for clients that do not look at what they got.
  void compress(const Entry& entry) const;
  /// An empty directory of the caller's own on the store's file system, for what will be saved.
  [[nodiscard]] std::filesystem::path make_upload_directory() const;

 private:
  void prune(std::uintmax_t most_bytes) const;
  [[nodiscard]] std::vector<Entry> all() const;
  [[nodiscard]] std::filesystem::path place_of(const std::string& key, const std::string& version,
                                               const std::string& ref) const;

  std::filesystem::path root_;
  std::filesystem::path directory_;
};

}  // namespace slipway::workflow
