// SPDX-License-Identifier: Apache-2.0
#include "image/build_prune.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "image/layer_store.hpp"
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

// Bytes on disk of a file or of a tree, through a link at its top only.
std::uint64_t bytes_of(const fs::path& place) {
  std::uint64_t bytes = 0;
  auto add = [&](const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0)
      bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  };
  std::error_code problem;
  fs::path real = fs::canonical(place, problem);
  if (problem) return 0;
  add(real);
  if (!fs::is_directory(real)) return bytes;
  for (fs::recursive_directory_iterator at(real, problem), end; at != end && !problem;
       at.increment(problem))
    add(at->path());
  return bytes;
}

fs::file_time_type changed(const fs::path& path) {
  std::error_code gone;
  auto time = fs::last_write_time(path, gone);
  return gone ? fs::file_time_type::min() : time;
}

// Something that makes later builds faster.
struct Part {
  fs::path place;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
  bool is_layer = false;
  std::vector<fs::path> records;  // of the steps that made the layer
  std::set<oci::Digest> blobs;    // the layer's, that are in the image store
};

std::vector<Part> layer_parts(const fs::path& root, const oci::BlobStore& blobs) {
  LayerStore store(root);
  std::map<std::string, std::vector<fs::path>> records;
  for (const fs::path& record : entries_of(root / "steps")) {
    if (auto step = store.find_step(record.filename().string()))
      records[step->layer].push_back(record);
  }
  std::vector<Part> parts;
  for (const fs::path& layer : entries_of(root / "layers")) {
    std::string id = layer.filename().string();
    Part part{.place = layer, .used = changed(layer), .bytes = bytes_of(layer), .is_layer = true};
    if (fs::is_symlink(layer / "fs")) part.bytes += bytes_of(layer / "fs");
    part.records = records[id];
    for (const auto& record : part.records) part.used = std::max(part.used, changed(record));
    for (const auto& kind : store.blob_kinds(id)) {
      auto known = store.find_blob(id, kind);
      if (!known || !blobs.has(known->blob.digest)) continue;
      part.bytes += known->blob.size;
      part.blobs.insert(known->blob.digest);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

PrunedBuilds prune_builds(const fs::path& root, bool all) {
  PrunedBuilds pruned;
  os::remove_abandoned_memory();
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

ShrunkBuilds shrink_builds(const fs::path& root, const oci::BlobStore& blobs,
                           std::uint64_t most_bytes) {
  ShrunkBuilds shrunk;
  if (!fs::exists(root)) return shrunk;
  auto parts = layer_parts(root, blobs);
  for (const char* name : {"cache", "downloads"}) {
    for (const fs::path& place : entries_of(root / name)) {
      Part part{.place = place, .used = changed(place), .bytes = bytes_of(place)};
      for (const fs::path& inner : entries_of(place))
        part.used = std::max(part.used, changed(inner));
      parts.push_back(std::move(part));
    }
  }
  std::sort(parts.begin(), parts.end(),
            [](const Part& a, const Part& b) { return a.used > b.used; });
  std::uint64_t kept = 0;
  bool is_full = false;
  for (const Part& part : parts) {
    is_full = is_full || kept + part.bytes > most_bytes;
    if (!is_full) {
      kept += part.bytes;
      shrunk.kept_blobs.insert(part.blobs.begin(), part.blobs.end());
      continue;
    }
    // The records first: a step that is known must have its layer.
    for (const fs::path& record : part.records) os::remove_tree(record);
    os::remove_tree(part.place);
    shrunk.bytes += part.bytes;
    ++(part.is_layer ? shrunk.layers : shrunk.others);
  }
  return shrunk;
}

}  // namespace slipway::image
