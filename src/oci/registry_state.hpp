// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "base/guarded.hpp"
#include "formats/sqlite.hpp"
#include "oci/registry_store.hpp"
#include "os/file.hpp"

namespace slipway::oci {

/// One upload between requests: where its file is and the hash of what is in it so far. The file is open only while a request
/// writes to it: uploads that nobody goes on with must not use up the descriptors.
struct UploadSession {
  std::mutex busy;  ///< held by the request that writes
  std::filesystem::path path;
  bool is_over = false;  // guarded by busy; finished or cancelled: the file is gone
  std::optional<Digester>
      digester;  // guarded by busy; nothing when it does not fit the file: that is read again at the end
  std::atomic<std::uint64_t> size = 0;
  std::uint64_t flushed = 0;  // guarded by busy
};
/// What a request has that writes to an upload: it alone, and its file, at its end.
struct HeldUpload {
  std::shared_ptr<UploadSession> session;
  std::unique_lock<std::mutex> busy;
  os::Fd file;
};

/// What a RegistryStore is made of: SQLite for what belongs to what, a BlobStore for contents.
struct RegistryStore::State {
  explicit State(std::filesystem::path its_root);

  /// Manifests that were read lately, by repository, then by tag and by digest.
  struct Cache {
    std::unordered_map<std::string, std::unordered_map<std::string, StoredManifest>> by_repository;
    std::size_t bytes = 0;
  };

  std::filesystem::path root;
  os::FileLock lock;
  BlobStore blobs;
  Guarded<formats::Database> writer;
  mutable Guarded<formats::Database> reader;
  mutable std::shared_mutex cache_mutex;
  mutable Cache cache;  // guarded by cache_mutex
  mutable std::uint64_t version =
      0;  // guarded by cache_mutex; counts what made cached manifests wrong
  Guarded<std::map<std::string, std::shared_ptr<UploadSession>>>
      sessions;  // shared by requests for the same upload
  /// When blobs were last asked for, in this process.
  mutable Guarded<std::unordered_map<std::string, formats::Time>> touched;
  formats::Time started;
  std::atomic<std::uint64_t> bytes = 0;    ///< of blobs that some repository has
  std::atomic<std::uint64_t> pending = 0;  ///< of uploads that are not blobs yet

  void forget(std::string_view repository);
  [[nodiscard]] std::filesystem::path uploads_of(std::string_view repository) const;
  /// Nothing when there is no such upload.
  [[nodiscard]] std::shared_ptr<UploadSession> session(std::string_view repository,
                                                       std::string_view id);
  /// throws RegistryRefusal BLOB_UPLOAD_UNKNOWN, and 409 while another request writes to it
  HeldUpload hold(std::string_view repository, std::string_view id);
  /// Repository and id of every upload, from before a restart too.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> upload_names() const;
  /// False when it is over already or a request is writing to it.
  bool cancel(std::string_view repository, std::string_view id);
  void append(HeldUpload& upload, std::string_view bytes_of_it);
  /// Ends an upload, whatever became of it.
  void drop(HeldUpload& upload);
  /// throws RegistryRefusal NAME_UNKNOWN
  static void require_repository(formats::Database& database, std::string_view repository);
  static std::optional<std::uint64_t> linked_size(formats::Database& database,
                                                  std::string_view repository,
                                                  std::string_view digest);
  /// Takes a blob from a repository. Returns the bytes that no repository has then; nothing when the repository did not have it.
  static std::optional<std::uint64_t> unlink_blob(formats::Database& database,
                                                  std::string_view repository,
                                                  std::string_view digest);
  /// Makes a finished file (or a blob that is here) a blob of the repository, on disk before it returns.
  void link_blob(std::string_view repository, const Digest& digest,
                 const std::filesystem::path& file, std::uint64_t size);
};

std::int64_t to_millis(formats::Time time);
formats::Time from_millis(std::int64_t millis);

}  // namespace slipway::oci
