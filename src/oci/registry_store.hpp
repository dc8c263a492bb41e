// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/io.hpp"
#include "formats/time.hpp"
#include "oci/blob_store.hpp"
#include "oci/digest.hpp"
#include "oci/manifest.hpp"

namespace slipway::oci {

/// What a registry refuses, in the words of the distribution specification. Caught where one
/// request is answered.
///   source  OCI distribution-spec 1.1, "Error Codes"
class RegistryRefusal final : public std::exception {
 public:
  RegistryRefusal(int status, std::string code, std::string message, std::string detail = "")
      : status_(status),
        code_(std::move(code)),
        message_(std::move(message)),
        detail_(std::move(detail)) {}
  [[nodiscard]] int status() const { return status_; }             ///< HTTP's
  [[nodiscard]] const std::string& code() const { return code_; }  ///< "MANIFEST_UNKNOWN"
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  std::string code_;
  std::string message_;
  std::string detail_;
};

/// A manifest as it was pushed, byte for byte.
struct StoredManifest {
  Digest digest;
  std::string media_type;
  std::shared_ptr<const std::string>
      bytes;  ///< shared by the cache and the requests that send it; never changed
  formats::Time pushed{};
};

/// A manifest that names another one as its subject.
struct Referrer {
  Descriptor descriptor;  ///< with artifact type and annotations
};

/// How far an upload is.
struct UploadStatus {
  std::string id;
  std::uint64_t size = 0;
};

/// What an upload may not grow past.
struct UploadLimits {
  std::uint64_t most_blob = UINT64_MAX;   ///< bytes of the upload itself
  std::uint64_t most_total = UINT64_MAX;  ///< of all blobs and uploads together
};

/// What a manifest push asks for.
struct ManifestPush {
  std::string repository;
  std::string tag;               ///< empty: by digest only
  std::optional<Digest> digest;  ///< what the bytes must hash to, when pushed by digest
  std::string media_type;        ///< Content-Type; empty: the manifest's own mediaType
  std::string bytes;
  bool is_immutable = false;       ///< refuse when the tag exists, TAG_INVALID
  std::string immutable_message;   ///< for that refusal
  std::optional<Digest> if_match;  ///< refuse (412) unless the tag points there now
  bool only_new = false;           ///< refuse (412) when the tag exists
  bool check_children = true;      ///< refuse when blobs or manifests that it names are missing
};
struct PushedManifest {
  Digest digest;
  bool is_new = false;     ///< the repository did not have this manifest
  bool moved_tag = false;  ///< the tag was made, or led elsewhere before
  std::optional<Digest> subject;
};

/// What a registry keeps: repositories, manifests, tags, blobs, unfinished uploads; no HTTP. Blobs
/// of one repository are not visible in another until mounted. Whatever returned is on disk.
///   threads   any; one process a directory
class RegistryStore final {
 public:
  /// throws Error{conflict} when another process has the directory open
  explicit RegistryStore(std::filesystem::path root);
  RegistryStore(const RegistryStore&) = delete;
  RegistryStore& operator=(const RegistryStore&) = delete;
  ~RegistryStore();

  /// False when it exists already. throws RegistryRefusal NAME_INVALID
  bool create_repository(std::string_view repository);
  [[nodiscard]] bool has_repository(std::string_view repository) const;
  /// Sorted, those after `after`, at most `limit`.
  [[nodiscard]] std::vector<std::string> repositories(std::string_view after = "",
                                                      std::size_t limit = SIZE_MAX) const;
  /// With its tags, manifests and uploads; false when there was none.
  bool delete_repository(std::string_view repository);

  /// By tag or digest; nothing when unknown.
  [[nodiscard]] std::optional<StoredManifest> manifest(std::string_view repository,
                                                       std::string_view tag_or_digest) const;
  /// throws RegistryRefusal MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID, TAG_INVALID,
  /// NAME_UNKNOWN
  PushedManifest put_manifest(const ManifestPush& push);
  /// Sorted, those after `after`, at most `limit`.
  [[nodiscard]] std::vector<std::string> tags(std::string_view repository,
                                              std::string_view after = "",
                                              std::size_t limit = SIZE_MAX) const;
  /// The tags of a manifest, sorted.
  [[nodiscard]] std::vector<std::string> tags_of(std::string_view repository,
                                                 const Digest& digest) const;
  /// All manifests of a repository, oldest push first; without their bytes.
  struct ListedManifest {
    Digest digest;
    std::string media_type;
    std::uint64_t size = 0;
    formats::Time pushed{};
    std::string artifact_type;
    std::vector<std::string> tags;
  };
  [[nodiscard]] std::vector<ListedManifest> manifests(std::string_view repository) const;
  /// Leaves the manifest. False when there was no such tag.
  bool delete_tag(std::string_view repository, std::string_view tag);
  /// With the tags that lead to it. False when there was none.
  bool delete_manifest(std::string_view repository, const Digest& digest);
  /// Manifests whose subject is `subject`; `artifact_type` empty: all.
  [[nodiscard]] std::vector<Descriptor> referrers(std::string_view repository,
                                                  const Digest& subject,
                                                  std::string_view artifact_type = "") const;

  /// Bytes of a blob of this repository; nothing when it does not have it.
  [[nodiscard]] std::optional<std::uint64_t> blob_size(std::string_view repository,
                                                       const Digest& digest) const;
  /// For reading; nothing when the repository does not have it.
  [[nodiscard]] std::optional<os::Fd> open_blob(std::string_view repository,
                                                const Digest& digest) const;
  /// Makes a blob of `from` one of `repository` too. False when `from` does not have it.
  bool mount_blob(std::string_view repository, std::string_view from, const Digest& digest);
  bool delete_blob(std::string_view repository, const Digest& digest);

  /// Begins an upload; returns its id, which cannot be guessed.
  std::string begin_upload(std::string_view repository);
  /// Nothing when there is no such upload in this repository.
  [[nodiscard]] std::optional<UploadStatus> upload(std::string_view repository,
                                                   std::string_view id) const;
  /// Appends all of `body`.
  ///   at      where the bytes must begin; nothing: at the end
  ///   throws  RegistryRefusal BLOB_UPLOAD_UNKNOWN (404), BLOB_UPLOAD_INVALID (416 when `at` is not
  ///           the end; nothing is appended), SIZE_INVALID, DENIED (past a limit; the upload is
  ///           dropped). What came before a broken-off body or on a full disk stays.
  UploadStatus append_upload(std::string_view repository, std::string_view id,
                             formats::Reader& body, std::optional<std::uint64_t> at = std::nullopt,
                             const UploadLimits& limits = {});
  /// Makes the upload a blob. throws RegistryRefusal BLOB_UPLOAD_UNKNOWN, DIGEST_INVALID (the
  /// upload is dropped then)
  void finish_upload(std::string_view repository, std::string_view id, const Digest& digest);
  bool cancel_upload(std::string_view repository, std::string_view id);

  struct Collected {
    std::size_t blobs = 0;
    std::uint64_t bytes = 0;
    std::size_t uploads = 0;
  };
  /// Removes blobs that no manifest names and that were not pushed, mounted or asked for within
  /// `grace`, and uploads idle for longer. Safe while requests are served.
  Collected collect_garbage(std::chrono::seconds grace);
  /// Bytes of all blobs that some repository has, and of unfinished uploads.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::oci
