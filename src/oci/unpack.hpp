// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "formats/io.hpp"
#include "oci/blob_store.hpp"
#include "oci/digest.hpp"
#include "os/fd.hpp"

namespace slipway::oci {

/// What a layer's whiteouts become.
enum class Whiteouts {
  apply,    ///< the named files of `root` are deleted: `root` holds the lower layers' files too
  overlay,  ///< overlayfs's form: character device 0:0, and trusted.overlay.opaque on directories
};

struct UnpackLimits {
  std::uint64_t bytes = std::uint64_t{1} << 38;  ///< of content, 256 GiB
  std::uint64_t entries = 8'000'000;
};

struct UnpackOptions {
  Whiteouts whiteouts = Whiteouts::apply;
  bool own = true;  ///< set owners, devices and all xattrs (needs root); else everything belongs to
                    ///< this user and devices become empty files
  UnpackLimits limits;
};

struct Unpacked {
  std::uint64_t bytes = 0;  ///< of content
  std::uint64_t entries = 0;
  /// Directories that it uses without bringing them: made with mode 0755, owned by root. As
  /// relative paths, at most 1000.
  std::vector<std::string> implied;
  /// With Whiteouts::overlay: the meaning depends on what lies below, as its root is opaque.
  bool needs_lower = false;
  /// With Whiteouts::overlay: the first hard link whose target it does not bring; the link was not
  /// made.
  std::string missing_link;
};

/// Applies one image layer onto `root`: entries are added or replaced, whiteouts delete.
///   layer    uncompressed tar, read to its end
///   root     an open directory; nothing outside it is ever touched, whatever links the layer or
///   `root` holds throws   Error{bad_input} if the tar is cut short, an entry would leave root, or
///   a limit is passed; Error{unavailable}; Cancelled threads  one call per root at a time source
///   OCI image-spec 1.1, layer.md, "Applying Changesets" and "Whiteouts"
Unpacked apply_layer(formats::Reader& layer, const os::Fd& root, const UnpackOptions& options,
                     const std::stop_token& stop);

/// Unpacked layers in overlayfs's format, one directory each, shared by images, builds and
/// containers. Directory: layers/DIGESTHEX/fs (the tree) beside layers/DIGESTHEX/layer.json. A
/// layer appears by a rename, whole.
///   threads  any number, and any number of processes on one directory: each layer is unpacked by
///   one of them
class LayerCache final {
 public:
  /// `root` is made when it does not exist; it must be on a file system that overlayfs takes as a
  /// lower directory.
  explicit LayerCache(std::filesystem::path root);
  LayerCache(const LayerCache&) = delete;
  LayerCache& operator=(const LayerCache&) = delete;
  ~LayerCache();

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  /// The layers of an image as directories for an overlay's lowerdir, top-most first. Missing ones
  /// are unpacked from the store, in parallel; each one's uncompressed content is checked against
  /// its diff id.
  ///   manifest, config   of one image: as many layers as diff ids
  ///   throws             Error{not_found} when a layer blob is missing, Error{bad_input} when it
  ///   does not match; Cancelled
  std::vector<std::filesystem::path> unpack(const Manifest& manifest, const ImageConfig& config,
                                            const BlobStore& store, const std::stop_token& stop);
  /// The directories when all layers are unpacked already, top-most first; else nothing.
  [[nodiscard]] std::optional<std::vector<std::filesystem::path>> find(
      const std::vector<Digest>& diff_ids) const;
  /// One layer's directory, when it is unpacked.
  [[nodiscard]] std::optional<std::filesystem::path> find(const std::vector<Digest>& below,
                                                          const Digest& diff_id) const;
  /// Unpacks one layer unless it is here.
  ///   below  the diff ids under it, lowest first, unpacked already
  ///   open   gives its uncompressed tar from the start; called at most twice
  std::filesystem::path unpack_one(const std::vector<Digest>& below, const Digest& diff_id,
                                   const std::function<std::unique_ptr<formats::Reader>()>& open,
                                   const std::stop_token& stop);
  /// Unpacks one layer for itself, as far as that goes: unpack() does what is left. For layers that
  /// stream in.
  ///   returns  false when it was here already, or came from someone else meanwhile; `tar` was not
  ///   read to its end then
  bool unpack_alone(const Digest& diff_id, formats::Reader& tar, const std::stop_token& stop);
  /// Takes a finished overlay upper directory (renamed in; same file system) as the layer
  /// `diff_id`. When the layer is here already, `upper` is left alone.
  ///   returns  the layer's directory
  std::filesystem::path adopt(const Digest& diff_id, const std::filesystem::path& upper);
  /// A new empty directory on the cache's file system, for an overlay's upper and work; the caller
  /// removes it (adopt() takes parts of it away).
  [[nodiscard]] os::TempDir scratch() const;

  struct Pruned {
    std::size_t layers = 0;
  };
  /// Removes the layers that are not in `keep` and that no mounted overlay uses.
  Pruned prune(const std::set<Digest>& keep);

 private:
  std::filesystem::path unpack_on(const std::vector<Digest>& below,
                                  const std::vector<std::filesystem::path>& lower,
                                  const Digest& diff_id, formats::Reader& tar,
                                  const std::stop_token& stop);
  std::filesystem::path root_;
};

}  // namespace slipway::oci
