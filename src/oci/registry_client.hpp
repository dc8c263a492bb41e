// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "formats/io.hpp"
#include "oci/blob_progress.hpp"
#include "oci/blob_store.hpp"
#include "oci/credentials.hpp"
#include "oci/manifest.hpp"
#include "oci/reference.hpp"
#include "oci/unpack.hpp"

namespace slipway::oci {

/// How registries of some name are reached. The first entry whose pattern fits counts.
struct RegistryEndpoint {
  std::string pattern;     ///< of hosts as in Reference::host, `*` is any run:
                           ///< "*.dkr.ecr.us-east-1.amazonaws.com"
  std::string connect_to;  ///< "127.0.0.1:4566" instead of DNS; the Host header stays the
                           ///< registry's name. Empty: DNS
  bool plain_http = false;
  std::string ca_file;               ///< PEM, besides the system's
  std::vector<std::string> mirrors;  ///< base URLs asked first for pulls ("http://127.0.0.1:5000")
};

struct RegistryClientOptions {
  CredentialProvider credentials;  ///< empty: anonymous
  std::vector<RegistryEndpoint> endpoints;
  unsigned parallel = 6;  ///< blobs at a time
  std::string user_agent = "slipway";
};

/// A manifest or index as a registry gave it, its bytes checked against the digest.
struct RemoteManifest {
  Descriptor descriptor;
  std::string bytes;
};

/// One line of what a pull or push does with a blob. Called from several threads, never two calls
/// at once.
struct TransferProgress {
  enum class Kind { started, progress, done, exists, mounted };
  Kind kind = Kind::started;
  Digest digest;
  std::uint64_t bytes = 0;  ///< so far
  std::uint64_t total = 0;
};
using TransferSink = std::function<void(const TransferProgress&)>;

struct PullOptions {
  Platform platform = Platform::host();
  bool all_platforms = false;
  LayerCache* unpack_into = nullptr;  ///< unpack layers while they stream in
  TransferSink progress;
};

/// What a push may do besides uploading.
struct PushOptions {
  std::vector<std::string>
      mount_from;             ///< repositories of the same registry that may have the blobs
  bool all_platforms = true;  ///< of an index: all its images that are in the store must be there
  TransferSink progress;
};

/// A client of OCI distribution registries: tokens (Basic, Bearer), redirects, retries with backoff
/// for 429 and 5xx, several blobs at a time. What a registry says is checked: digests, sizes, hosts
/// that credentials go to.
///   threads  any
///   source   OCI distribution-spec 1.1.1; docker token authentication
class RegistryClient final {
 public:
  RegistryClient(RegistryClientOptions options, Log& log);
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;
  ~RegistryClient();

  /// HEAD: what the name leads to; nothing when the registry does not know it.
  ///   patience  for an answer
  std::optional<Descriptor> resolve(const Reference& image, const std::stop_token& stop,
                                    std::chrono::milliseconds patience = std::chrono::seconds(60));
  /// GET; nothing when unknown.
  std::optional<RemoteManifest> manifest(const Reference& image, const std::stop_token& stop);
  /// Bytes of a blob of the image's repository; nothing when it has none.
  std::optional<std::uint64_t> blob_size(const Reference& repository, const Digest& digest,
                                         const std::stop_token& stop);
  /// Streams a blob. throws Error{bad_input} when digest or size are not the descriptor's (after
  /// what came went to `sink`)
  void fetch_blob(const Reference& repository, const Descriptor& blob, formats::Writer& sink,
                  const std::stop_token& stop);
  /// Uploads a blob unless the registry has it (HEAD) or mounts it.
  ///   returns  how it got there
  TransferProgress::Kind push_blob(const Reference& repository, const Descriptor& blob,
                                   const BlobStore& store, const PushOptions& options,
                                   const std::stop_token& stop);
  /// Uploads a blob while it is being written, whatever the registry has: the digest is known at the end only.
  ///   throws  Error when it did not get there; nothing is left in the registry then
  void stream_blob(const Reference& repository, BlobProgress& blob, const std::stop_token& stop);
  /// Uploads manifest bytes under the reference's tag or digest; keeps the referrers tag when the
  /// registry has no referrers API.
  Descriptor put_manifest(const Reference& image, std::string_view media_type,
                          std::string_view bytes, const std::stop_token& stop);

  /// Brings an image into the store and names it there `image.str()`; what the store has is not
  /// fetched again.
  ///   returns  the descriptor that the name now has: of the index when there is one
  ///   throws   Error{not_found} "no such image", Error{denied}, Error{unavailable},
  ///   Error{bad_input} for contents that lie
  Descriptor pull(const Reference& image, BlobStore& store, const PullOptions& options,
                  const std::stop_token& stop);
  /// Sends an image of the store: blobs first, in parallel, the manifest last.
  ///   target  descriptor in the store of a manifest or index
  Descriptor push(const BlobStore& store, const Descriptor& target, const Reference& image,
                  const PushOptions& options, const std::stop_token& stop);

  /// All tags, in the registry's order. throws Error{not_found}
  std::vector<std::string> tags(const Reference& repository, const std::stop_token& stop);
  /// What refers to the image's digest, by API or fallback tag.
  std::vector<Descriptor> referrers(const Reference& image, std::string_view artifact_type,
                                    const std::stop_token& stop);
  /// Deletes a manifest by digest, or a tag when there is no digest. throws Error{not_found,
  /// unsupported}
  void remove(const Reference& image, const std::stop_token& stop);
  /// Checks the credentials by a ping. throws Error{denied} when they do not pass
  void ping(const std::string& host, const std::stop_token& stop);

 private:
  bool has(const Reference& image, const Digest& digest, const std::stop_token& stop);
  void add_to_fallback_tag(const Reference& image, const Digest& subject, Descriptor entry,
                           const std::variant<Manifest, Index>& document,
                           const std::stop_token& stop);
  class Pull;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::oci
