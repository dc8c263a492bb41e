// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "container/crun_runtime.hpp"

namespace slipway::container {

/// Six hexadecimal digits that stand for a state directory in the names of bridges, namespaces, tables and cgroups.
std::string short_id(const std::filesystem::path& state);

/// Something on this machine that a slipway of this state directory made.
struct Leftover {
  enum class Kind { container, mount, netns, link, nft_table, cgroup };
  Kind kind;
  std::string name;  ///< id, path, link or table
  bool operator==(const Leftover&) const = default;
};

std::string to_string(const Leftover& leftover);

/// All that is there now, whether still in use or not: empty after a complete `down`.
std::vector<Leftover> leftovers(const RuntimeOptions& options);

/// Removes what nobody minds any more: attached containers whose slipway is dead, with their directories, and its transient
/// networks. Detached containers and lasting networks, which are meant to live on, stay.
void sweep(const RuntimeOptions& options);

/// Removes the empty directories and cgroups of this state, where nobody uses them and no container is there.
void remove_empty(const RuntimeOptions& options);

/// Removes everything: containers (killed), networks, namespaces, rules, cgroups, mounts.
///   returns  what could not be removed
std::vector<Leftover> remove_everything(const RuntimeOptions& options);

}  // namespace slipway::container
