// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/io.hpp"
#include "oci/digest.hpp"
#include "oci/manifest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::oci {

/// A blob on its way into a store; discarded unless commit() is called.
class BlobWriter final : public formats::Writer {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) = delete;
  ~BlobWriter() override;
  void write(std::string_view bytes) override;
  [[nodiscard]] std::uint64_t size() const;
  /// The digest of what was written so far.
  [[nodiscard]] Digest digest() const;
  /// The file being written, for readers that follow it (see size()); it stays the same file after
  /// commit().
  [[nodiscard]] int fd() const;
  /// Makes the blob part of the store, on disk before it returns. When the store has it already,
  /// what was written is dropped.
  ///   throws  Error{bad_input} when `expected` is given and is not the digest; the blob is dropped
  ///   then
  Digest commit(const std::optional<Digest>& expected = std::nullopt);

 private:
  friend class BlobStore;
  struct State;
  explicit BlobWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A name of the local image store and what it means.
struct TaggedImage {
  std::string name;  ///< Reference::str(): "docker.io/library/alpine:latest"
  Descriptor target;
  bool operator==(const TaggedImage&) const = default;
};

/// Contents by digest in a directory, and names for images. The directory is itself an OCI image
/// layout (`skopeo inspect oci:DIR:NAME`). What commit(), put() and set_tag() returned for survives
/// a power cut; kill -9 leaves before or after. Blobs are never changed.
///   threads    any number, and any number of processes on one directory
///   source     OCI image-spec 1.1, image-layout.md
class BlobStore final {
 public:
  /// Opens the store at `root`, making it when it does not exist.
  explicit BlobStore(std::filesystem::path root);
  BlobStore(const BlobStore&) = delete;
  BlobStore& operator=(const BlobStore&) = delete;
  ~BlobStore();

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] bool has(const Digest& digest) const { return size(digest).has_value(); }
  /// Bytes; nothing when the blob is not here.
  [[nodiscard]] std::optional<std::uint64_t> size(const Digest& digest) const;
  /// Where the blob is or would be.
  [[nodiscard]] std::filesystem::path path_of(const Digest& digest) const;
  /// For reading. throws Error{not_found} "blob sha256:… is not in the store"
  [[nodiscard]] os::Fd open(const Digest& digest) const;
  /// The whole blob, checked against its digest; for manifests and configurations. throws
  /// Error{not_found, bad_input}
  [[nodiscard]] std::string read(const Digest& digest, std::uint64_t most_bytes = 64u << 20) const;
  /// A new blob. `algorithm` as in Digester.
  BlobWriter begin(std::string_view algorithm = "sha256");
  Digest put(std::string_view bytes);
  /// put() and describe() in one.
  Descriptor put(std::string_view bytes, std::string_view media_type);
  /// Hard-links (else copies) a file in as a blob after checking it. throws Error{bad_input} when
  /// it is not `digest`
  void put_file(const std::filesystem::path& file, const Digest& digest);
  /// Renames a file of the store's file system in; the caller has made sure that it is `digest`. On
  /// disk before it returns.
  void move_in(const std::filesystem::path& file, const Digest& digest);
  /// False when it was not there.
  bool remove(const Digest& digest);

  /// Names an image; `name` is a Reference::str() with a tag. The target's blobs must be here.
  void set_tag(const std::string& name, const Descriptor& target);
  /// What a name means: a normalised name, or "sha256:…" of a manifest that is here.
  [[nodiscard]] std::optional<Descriptor> resolve(std::string_view name) const;
  /// Sorted by name.
  [[nodiscard]] std::vector<TaggedImage> tags() const;
  bool remove_tag(std::string_view name);

  /// While it lives, no process's collect_garbage() removes a blob that was here when it was taken
  /// or came later.
  class Lease final {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) noexcept = default;

   private:
    friend class BlobStore;
    explicit Lease(os::Fd lock) : lock_(std::move(lock)) {}
    os::Fd lock_;
  };
  /// Taken by whoever puts blobs in before the name that keeps them: pulls, builds, imports.
  [[nodiscard]] Lease lease() const;
  /// A lease that nobody else has at the same time; nothing when somebody holds one now.
  [[nodiscard]] std::optional<Lease> try_sole_lease() const;

  struct Collected {
    std::size_t blobs = 0;
    std::uint64_t bytes = 0;
    bool in_use = false;  ///< a lease was held: nothing was removed
  };
  /// Removes the blobs that no name leads to, and what broken-off writers left.
  ///   keep   more roots: manifests, or plain blobs
  Collected collect_garbage(const std::set<Digest>& keep = {});
  /// Every digest that `root` leads to, itself included; what is not here is left out.
  [[nodiscard]] std::set<Digest> reachable(const Digest& root) const;
  /// All blobs here.
  [[nodiscard]] std::vector<Digest> blobs() const;

 private:
  friend class BlobWriter;
  void publish(const std::filesystem::path& file,
               const Digest& digest);  // rename into place, directory synced
  struct Names;                        // index.json as it was last read
  void change_names(const std::function<bool(Index&)>& change);
  std::shared_ptr<const Index> names() const;
  void mark(const Digest& digest, std::set<Digest>& seen) const;

  std::filesystem::path root_;
  std::unique_ptr<Names> names_;
};

/// Opens a layer blob and gives its uncompressed tar, whatever compressed it (gzip, zstd, nothing):
/// told by its bytes.
std::unique_ptr<formats::Reader> open_layer(const BlobStore& store, const Digest& digest);
/// The same over a reader that is borrowed.
std::unique_ptr<formats::Reader> decompress(formats::Reader& source);

/// An image of the store for one platform: its manifest and its configuration, read and checked.
struct StoredImage {
  Descriptor descriptor;  ///< of the manifest
  Manifest manifest;
  ImageConfig config;
};
/// Follows a name or digest through an index to the manifest for `platform`.
///   returns  nothing when the name is unknown here, or its manifest or configuration is not here
///   throws   Error{not_found} when the index has no image for the platform; Error{bad_input} for
///   broken contents
std::optional<StoredImage> find_image(const BlobStore& store, std::string_view name_or_digest,
                                      const Platform& platform);

}  // namespace slipway::oci
