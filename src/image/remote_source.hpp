// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "image/add_source.hpp"

namespace slipway::image {

/// A remote source brought to disk.
struct Remote {
  std::filesystem::path path;
  bool is_directory = false;  ///< a repository's working tree
  std::string name;           ///< the file's name by its address
  std::int64_t mtime = 0;     ///< Last-Modified, 0 when the server does not say
};

/// Brings one source here. A file that remote_key() downloaded is taken from the store.
///   into  an empty directory for a repository's files
///   secrets  see add_sources()
Remote fetch_remote(const CopyOp& add, const std::string& source,
                    const std::vector<Secret>& secrets, LayerStore& store,
                    const std::filesystem::path& into, const std::stop_token& stop);

}  // namespace slipway::image
