// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "container/spec.hpp"
#include "os/fd.hpp"

namespace slipway::container {

/// Gives the calling thread a mount namespace of its own, in which nothing that it mounts reaches the host. Where cgroup v1 is
/// mixed with a cgroup2 mount that holds controllers, that mount is covered: crun 1.8 refuses to work beside it.
///   throws  Error{denied} without the privilege
void enter_private_mounts();

/// Runs `work` on a thread with private mounts and waits for it; processes spawned by it live in the same mounts.
/// What `work` throws comes out.
void in_private_mounts(const std::stop_token& stop,
                       const std::function<void(const std::stop_token&)>& work);

/// Mounts a root file system on the existing directory `target`.
void mount_rootfs(const Rootfs& rootfs, const std::filesystem::path& target);

/// Mounts the overlays among `spec.mounts` below `bundle` and writes the files that stand for resolv_conf and hosts.
///   returns  the spec with binds only
ContainerSpec with_mounts_made(const ContainerSpec& spec, const std::filesystem::path& bundle);

/// Which of a container's mount targets were missing in its root, so that the empty files and directories that a runtime makes
/// for them can be taken away again: they must not become part of an image layer.
class MountStubs final {
 public:
  /// Looks at the mounted `root` and its overlay's `upper` before the container starts.
  MountStubs(const std::filesystem::path& root, const std::filesystem::path& upper,
             const ContainerSpec& spec);
  /// Removes what was made in `upper` and is still empty; to be called when it is no longer mounted.
  void remove() const;

 private:
  struct Parent {  // a directory that making a stub copies up
    std::string path;
    unsigned mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
  };
  void note_missing(const std::filesystem::path& root, const os::Fd& directory,
                    const std::string& target);
  void note_parents(const os::Fd& directory, std::string path);

  std::filesystem::path upper_;
  std::vector<std::string> missing_;  // relative to the root, links resolved, parents first
  std::vector<Parent> parents_;       // deepest last within each chain
};

}  // namespace slipway::container
