// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "image/attest.hpp"
#include "image/build.hpp"
#include "image/dockerignore.hpp"
#include "image/file_hashes.hpp"
#include "image/layer_store.hpp"
#include "image/tree.hpp"
#include "oci/blob_store.hpp"

namespace slipway::image {

/// A directory of the user's that files are copied from, less what its .dockerignore leaves out.
struct ContextTree {
  IgnoreMatcher ignore;
  FileHashes hashes;
  std::unique_ptr<Tree> tree;
};

/// An image of the local store that a build uses.
struct BaseImage {
  oci::StoredImage image;
  std::string key;  ///< what its files are
};

/// Where a build's files and images come from; each is opened once.
///   threads  any
class Sources final {
 public:
  Sources(const BuildRequest& request, BuildEnvironment& environment, LayerStore& layers)
      : request_(request), environment_(environment), layers_(layers) {}

  /// The build context (empty name) or a directory given as a named context.
  ContextTree& context(const std::string& directory);
  /// Looks the image up in the local store, then asks its registry.
  ///   throws  Error{not_found} naming the image
  const BaseImage& image(const std::string& name, const std::string& platform,
                         const std::stop_token& stop);
  /// Its layers as directories, top-most first; unpacked now when they are not yet.
  const std::vector<std::filesystem::path>& unpacked(const BaseImage& image,
                                                     const std::stop_token& stop);
  /// The images that were looked up, by name.
  std::vector<Material> materials();
  /// Its files.
  Tree& image_tree(const BaseImage& image, const std::stop_token& stop);
  /// Writes what was learned of the contexts' files.
  void save();
  /// The .dockerignore that counts for the Dockerfile at this path.
  void set_dockerfile(std::filesystem::path path) { dockerfile_ = std::move(path); }

 private:
  struct Unpacked {
    std::mutex mutex;
    std::optional<std::vector<std::filesystem::path>> directories;  // guarded by mutex
    std::unique_ptr<Tree> tree;                                     // guarded by mutex
  };
  const BuildRequest& request_;
  BuildEnvironment& environment_;
  LayerStore& layers_;
  std::filesystem::path dockerfile_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ContextTree>> contexts_;    // guarded by mutex_
  std::map<std::string, std::unique_ptr<BaseImage>> images_;        // guarded by mutex_
  std::map<const BaseImage*, std::unique_ptr<Unpacked>> unpacked_;  // guarded by mutex_
};

}  // namespace slipway::image
