// SPDX-License-Identifier: Apache-2.0
#include "image/build_prune.hpp"

#include <string>
#include <vector>

#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory, absent)) found.push_back(entry.path());
  return found;
}

// What begin_layer() and os::TempDir make.
bool is_unfinished(const fs::path& path) {
  std::string name = path.filename().string();
  return name.ends_with(".new") || name.starts_with("slipway-");
}

}  // namespace

PrunedBuilds prune_builds(const fs::path& root, bool all) {
  PrunedBuilds pruned;
  for (const fs::path& directory : {root, root / "layers", root / "cache", root / "downloads"}) {
    for (const fs::path& entry : entries_of(directory)) {
      if (!is_unfinished(entry)) continue;
      os::remove_tree(entry);
      ++pruned.broken_off;
    }
  }
  if (!all) return pruned;
  // The records first: a step that is known must have its layer.
  for (const char* name : {"steps", "reasons", "hashes", "cache", "downloads"}) {
    for (const fs::path& entry : entries_of(root / name)) os::remove_tree(entry);
  }
  for (const fs::path& layer : entries_of(root / "layers")) {
    os::remove_tree(layer);
    ++pruned.layers;
  }
  return pruned;
}

}  // namespace slipway::image
