// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "image/actions_cache.hpp"
#include "image/build.hpp"
#include "image/layer_store.hpp"
#include "oci/reference.hpp"

namespace slipway::image {

/// A step as a cache keeps it: under which keys it is found, and its layer.
struct CacheEntry {
  std::vector<std::string> keys;
  StepRecord record;
  LayerBlob layer;
};

/// The files in one of RUN's cache mounts.
struct CacheMount {
  std::string name;  ///< of LayerStore::cache_directory()
  LayerBlob layer;
  bool operator==(const CacheMount&) const = default;
};

/// What caches hold: the steps of the result, and (mode=max) of every stage; the files in cache mounts (mounts=true).
struct CacheSteps {
  std::vector<CacheEntry> least;
  std::vector<CacheEntry> most;
  std::vector<CacheMount> mounts;
};

/// What a cache's text says.
struct CacheDescription {
  std::vector<CacheEntry> steps;
  std::vector<CacheMount> mounts;
};
/// The text that a cache's configuration blob (or, with an inline cache, an annotation of the image) is. Pure.
std::string print_cache(const CacheDescription& cache);
/// Reads it; steps and mounts that are not whole are left out. throws Error{bad_input} when it is no JSON of this form
CacheDescription parse_cache(std::string_view text);

/// The annotation of an image's manifest with an inline cache.
inline constexpr std::string_view kInlineCache = "dev.slipway.cache.v1";
inline constexpr std::string_view kCacheConfigType = "application/vnd.slipway.cacheconfig.v1+json";

/// Steps and layers of other machines: what --cache-from names is read at once, its layers are fetched only when somebody needs their
/// files. What --cache-to names is written at the end, each as one OCI image manifest (registries without indexes take it).
///   threads  any
class BuildCache final : public RemoteLayers {
 public:
  BuildCache(const BuildRequest& request, BuildEnvironment& environment, LayerStore& layers)
      : request_(request), environment_(environment), layers_(layers) {}

  /// Reads every --cache-from. One that is not there is passed over with a warning.
  void import(const std::stop_token& stop);
  /// Writes every --cache-to but the inline ones.
  void write(const CacheSteps& steps, const std::stop_token& stop);
  /// Brings those layers into the image store that are only elsewhere yet.
  void bring(const CacheSteps& steps, const std::stop_token& stop);
  /// The files of these cache mounts as layers: what is here now, else what was imported. One that changes meanwhile is passed over with a
  /// warning.
  std::vector<CacheMount> mounts(const std::set<std::string>& names, const std::stop_token& stop);
  [[nodiscard]] bool wants_inline() const;
  [[nodiscard]] bool wants_max() const;
  [[nodiscard]] bool wants_mounts() const;

  [[nodiscard]] bool has(const oci::Digest& digest) const override;
  bool fill_cache_mount(const std::string& name, const std::filesystem::path& into,
                        const std::stop_token& stop) override;
  void fetch(const oci::Descriptor& blob, const std::stop_token& stop) override;

 private:
  /// Gets a layer from where it is.
  using Source =
      std::function<void(const oci::Descriptor&, formats::Writer&, const std::stop_token&)>;
  void import_one(const CacheSpec& spec, const std::stop_token& stop);
  void import_registry(const oci::Reference& image, const std::stop_token& stop);
  void import_local(const CacheSpec& spec, const std::stop_token& stop);
  void import_actions(const CacheSpec& spec, const std::stop_token& stop);
  void take(const std::string& text, const Source& source);
  void write_actions(const CacheSpec& spec, const CacheDescription& cache,
                     const std::stop_token& stop);
  void write_one(const CacheSpec& spec, const CacheDescription& cache, const std::stop_token& stop);
  [[nodiscard]] std::optional<LayerBlob> imported_mount(const std::string& name) const;
  void bring(const LayerBlob& layer, const std::stop_token& stop);

  const BuildRequest& request_;
  BuildEnvironment& environment_;
  LayerStore& layers_;
  mutable std::mutex mutex_;
  std::map<oci::Digest, Source> remote_;     // guarded by mutex_
  std::map<std::string, LayerBlob> mounts_;  // imported; guarded by mutex_
};

}  // namespace slipway::image
