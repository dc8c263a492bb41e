// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "image/build.hpp"
#include "image/copy.hpp"
#include "image/layer_store.hpp"
#include "os/file.hpp"

namespace slipway::image {

/// True for a source of ADD that is no file of the context: an http(s) address or a git repository.
bool is_remote_source(std::string_view source);
/// True for a git repository: git@…, git://…, ssh://…, or an address whose path ends in ".git".
bool is_git_source(std::string_view source);

/// What ADD's remote sources are now: a digest of each one's content, or a git commit. Downloads are kept in the store by it.
///   throws  Error{unavailable, not_found} when it cannot be had; Error{bad_input} when --checksum does not fit
std::string remote_key(const CopyOp& add, const std::vector<Secret>& secrets, LayerStore& store,
                       const std::stop_token& stop);

/// Unpacks a tar, whatever compressed it, into an empty directory. False when the file is no tar. throws Error{bad_input} when it is cut short
bool unpack_archive(const std::filesystem::path& file, const std::filesystem::path& into,
                    const std::stop_token& stop);

struct Added {
  Entries entries;
  std::shared_ptr<os::TempDir>
      files;  ///< where unpacked and downloaded files are until the layer is written
};
/// The layer that an ADD makes: local archives are unpacked into the destination, the rest is copied as COPY does.
///   secrets  GIT_AUTH_TOKEN and GIT_AUTH_HEADER among them open private repositories
Added add_sources(const CopyOp& add, Tree& context, const CopyWorld& world,
                  const std::vector<Secret>& secrets, LayerStore& store,
                  const std::stop_token& stop);

}  // namespace slipway::image
