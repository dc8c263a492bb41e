// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace slipway::container {

/// How this machine's cgroups are laid out.
enum class CgroupLayout {
  none,  ///< not mounted or not writable: limits cannot be kept
  v1,
  v2,
  hybrid,  ///< v1 controllers plus a cgroup2 mount that holds none
  mixed,   ///< v1 controllers plus a cgroup2 mount that holds one or more: crun 1.8 refuses it
};

/// Looks at `root` (/sys/fs/cgroup, or a tree like it in tests).
CgroupLayout cgroup_layout(const std::filesystem::path& root = "/sys/fs/cgroup");

/// What a container has used so far; absent: this kernel does not tell.
struct Usage {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> cpu_nanoseconds;
  std::optional<std::uint64_t> pids;
  std::uint64_t out_of_memory_kills = 0;
};

/// Reads a container's usage; `path` is its cgroup path such as "/slipway/1a2b3c/ID".
Usage usage(const std::string& path, const std::filesystem::path& root = "/sys/fs/cgroup");

/// The cgroup path of a container of a state directory.
std::string cgroup_path(const std::string& short_id, const std::string& container);

/// On cgroup v1: makes the cgroup of a state directory (if it is not there), in which only the harmless devices can be opened: null,
/// zero, full, random, urandom, terminals. All its containers are in it, so that device nodes in an image's layers are of no use.
void confine_devices(const std::string& short_id,
                     const std::filesystem::path& root = "/sys/fs/cgroup");

/// On cgroup v1: moves the calling thread into that cgroup; what it spawns stays there.
void join_confined(const std::string& short_id,
                   const std::filesystem::path& root = "/sys/fs/cgroup");

/// Removes a cgroup that no process is in, and what is below it, from every hierarchy.
void remove_cgroup(const std::string& path, const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace slipway::container
