// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "image/graph.hpp"
#include "image/tree.hpp"

namespace slipway::image {

/// One source of a COPY, found.
struct Selected {
  std::string name;  ///< what it is called at its new place, when that is inside a directory
  Node node;
  /// Of a directory: what is in it, by relative path, parents first; the nodes are the tree's, or `held`.
  std::vector<std::pair<std::string, const Node*>> below;
  std::vector<std::shared_ptr<const Node>> held;
  bool with_parents =
      false;  ///< --parents: `below` goes under the destination as it is, `node` is no file of its own
};

/// Finds what a COPY or ADD takes from `source`: wildcards as Go's filepath.Match, links followed inside the tree, excludes left out.
/// What is found is borrowed from `source`.
///   throws  Error{bad_input} when a source without wildcards does not exist
std::vector<Selected> select_files(const CopyOp& copy, Tree& source);

/// A digest of the names, modes, types and contents that were selected; times do not matter.
///   hash_of     the SHA-256 of a file's content
///   with_owner  owners are part of it (files of images and stages; those of contexts belong to nobody)
std::string content_digest(const std::vector<Selected>& selected,
                           const std::function<std::string(const Node&)>& hash_of, bool with_owner);

/// Who `--chown` or USER makes the owner: names from the image's own files, a number alone is the group too.
///   throws  Error{bad_input} for a name that is not there
std::pair<std::uint32_t, std::uint32_t> resolve_owner(std::string_view who, Tree& root);

struct CopyWorld {
  Tree& root;              ///< the file system that is copied into
  bool keep_owner = true;  ///< files keep their owners (stages, images), else they are root's
  std::int64_t now = 0;    ///< for directories that are made, seconds since 1970
  bool replaces = false;   ///< directories take the places of files, files those of directories
};

/// The layer that a COPY or ADD makes: the files at their new places and the directories that lead there.
///   throws  Error{bad_input} when a file would replace a directory or the other way round, and must not
Entries copy_entries(const CopyOp& copy, const std::vector<Selected>& selected,
                     const CopyWorld& world);

/// The layer that WORKDIR makes: the directory and its parents as far as they are missing; empty when it exists.
Entries mkdir_entries(const MkdirOp& make, Tree& root, std::int64_t now);

}  // namespace slipway::image
