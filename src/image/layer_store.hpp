// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "image/build.hpp"
#include "image/tree.hpp"
#include "oci/blob_progress.hpp"
#include "oci/blob_store.hpp"
#include "oci/manifest.hpp"
#include "os/file.hpp"

namespace slipway::image {

/// What is remembered of a step that was done once.
struct StepRecord {
  std::string
      identity;  ///< 64 hexadecimal digits: what the files after it are, as far as the cache can tell
  std::string layer;    ///< the layer's id in LayerStore
  std::string created;  ///< RFC 3339
  bool operator==(const StepRecord&) const = default;
};

/// A layer as a registry has it.
struct LayerBlob {
  oci::Digest diff_id;
  oci::Descriptor blob;
  bool operator==(const LayerBlob&) const = default;
};

/// How a layer's blob is written.
struct LayerForm {
  Compression compression = Compression::gzip;
  std::optional<int> level;  ///< nothing: the compression's usual one
  std::optional<std::int64_t>
      clamp_mtime;  ///< later times of files become this one, seconds since 1970
};

/// Layers that are elsewhere and can be had.
class RemoteLayers {
 public:
  RemoteLayers() = default;
  RemoteLayers(const RemoteLayers&) = delete;
  RemoteLayers& operator=(const RemoteLayers&) = delete;
  virtual ~RemoteLayers() = default;
  [[nodiscard]] virtual bool has(const oci::Digest& digest) const = 0;
  /// Puts the files that another machine had in a cache mount, named as LayerStore::cache_directory() does, into an empty directory.
  ///   returns  false when none are known or they cannot be had: the mount begins empty then
  virtual bool fill_cache_mount(const std::string& name, const std::filesystem::path& into,
                                const std::stop_token& stop) = 0;
  /// Brings the blob into the image store. throws Error{unavailable, not_found, bad_input}
  virtual void fetch(const oci::Descriptor& blob, const std::stop_token& stop) = 0;
};

/// The builder's own part of the image store: STATE/images/build. Layers appear by a rename, records by a replaced file; what cannot be
/// read counts as absent, so that a crash costs a cached step at most.
///   threads  any, and any number of processes
class LayerStore final {
 public:
  explicit LayerStore(std::filesystem::path root);

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::optional<StepRecord> find_step(const std::string& key) const;
  void keep_step(const std::string& key, const StepRecord& record) const;
  /// Marks the step as used now: pruning takes what was used longest ago.
  void touch_step(const std::string& key) const;

  /// What decided the step at a place of some Dockerfile when it was run last: three texts without line ends.
  [[nodiscard]] std::optional<std::vector<std::string>> find_reason(const std::string& place) const;
  void keep_reason(const std::string& place, const std::vector<std::string>& reason) const;

  /// A new, not yet taken id.
  [[nodiscard]] static std::string new_id();
  /// A fresh directory for a layer that is being made: holds `fs` (mode 0755) and `work`.
  [[nodiscard]] std::filesystem::path begin_layer(const std::string& id) const;
  /// Makes the layer part of the store; returns its tree.
  std::filesystem::path commit_layer(const std::string& id) const;
  void discard_layer(const std::string& id) const;
  /// The layer's tree when it is on disk.
  [[nodiscard]] std::optional<std::filesystem::path> directory(const std::string& id) const;

  /// `kind` names the form, see kind_of(LayerForm).
  [[nodiscard]] std::optional<LayerBlob> find_blob(const std::string& id,
                                                   const std::string& kind) const;
  void keep_blob(const std::string& id, const std::string& kind, const LayerBlob& blob) const;
  /// The kinds that are known of a layer.
  [[nodiscard]] std::vector<std::string> blob_kinds(const std::string& id) const;
  /// Where a cache mount keeps its files.
  [[nodiscard]] std::filesystem::path cache_directory(const std::string& id) const;

  /// Where layers whose blobs are not here can be had; borrowed, set before anybody asks for layers.
  void set_remote(RemoteLayers* remote) { remote_ = remote; }
  [[nodiscard]] RemoteLayers* remote() const { return remote_; }

 private:
  std::filesystem::path root_;
  RemoteLayers* remote_ = nullptr;
};

/// Removes what was begun of a layer (begin_layer) when it ends; what was committed by then is no longer there.
class DiscardLayer final {
 public:
  DiscardLayer(const LayerStore& store, std::string id) : store_(store), id_(std::move(id)) {}
  DiscardLayer(const DiscardLayer&) = delete;
  DiscardLayer& operator=(const DiscardLayer&) = delete;
  ~DiscardLayer();

 private:
  const LayerStore& store_;
  std::string id_;
};

/// Gives what is told of a blob that is being written to the file `fd` (borrowed).
using FollowBlob = std::function<std::shared_ptr<oci::BlobProgress>(int fd)>;

/// A layer of a stage in this build: on disk, in memory, or only as a blob until somebody needs its files.
class Layer final {
 public:
  Layer(std::string id, LayerStore& store, oci::BlobStore& blobs)
      : id_(std::move(id)), store_(store), blobs_(blobs) {}
  /// A layer of a base image, unpacked.
  Layer(std::filesystem::path directory, LayerStore& store, oci::BlobStore& blobs)
      : store_(store), blobs_(blobs), directory_(std::move(directory)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  void set_entries(std::shared_ptr<const Entries> entries);
  void set_directory(std::filesystem::path directory);
  /// Keeps files that the entries lie in until the layer is dropped.
  void hold(std::shared_ptr<os::TempDir> files);
  /// True when its files can be had: nothing of it has been pruned.
  [[nodiscard]] bool is_available() const;
  /// Its files, for reading.
  TreeLayer tree(const std::stop_token& stop);
  /// Its files as a directory for overlayfs, written now when they are not on disk yet.
  std::filesystem::path directory(const std::stop_token& stop);
  /// Its blob, made and put into the image store now when there is none yet.
  ///   follow  asked for what is told of the blob when it is made now
  LayerBlob blob(const LayerForm& form, const std::stop_token& stop, const FollowBlob& follow = {});

 private:
  // What is known of its blob of any compression, when the blob is in the image store or can be had.
  [[nodiscard]] std::optional<LayerBlob> known_blob() const;
  void bring(const LayerBlob& known, const std::stop_token& stop);

  std::string id_;
  LayerStore& store_;
  oci::BlobStore& blobs_;
  std::mutex mutex_;
  std::shared_ptr<const Entries> entries_;          // guarded by mutex_
  std::optional<std::filesystem::path> directory_;  // guarded by mutex_
  std::shared_ptr<os::TempDir>
      held_;  // guarded by mutex_; the step that made the files and this layer own it
};

}  // namespace slipway::image
