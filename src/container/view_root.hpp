// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "container/spec.hpp"

namespace slipway::container {

/// The changes with which a view of the host starts: overlay upper directories, one for `/` and one for every further file system
/// of the host that belongs into the view (a separate /usr or /var). Hiding is done by overlayfs's own marks in them, so the view
/// needs no mount for it, and what is hidden can be made anew inside.
class ViewRoot final {
 public:
  /// Makes its directories below `directory`; changes that are there stay.
  explicit ViewRoot(std::filesystem::path directory);

  [[nodiscard]] Rootfs rootfs() const;
  /// The further file systems.
  [[nodiscard]] std::vector<MountPoint> mounts() const;

  /// Makes a directory appear empty, keeping its owner and mode; a file vanish. Nothing happens when the host has neither.
  void hide(const std::filesystem::path& path);
  /// Puts a file into the view.
  void write(const std::filesystem::path& path, std::string_view content, unsigned mode);

 private:
  struct Part {
    std::filesystem::path point;  // where the file system is mounted: "/", "/var"
    std::filesystem::path upper;
    std::filesystem::path work;
  };
  // Where changes to a path of the host are kept; its parent directories are made as the host has them.
  std::filesystem::path place_of(const std::filesystem::path& path);

  std::vector<Part> parts_;  // deepest mount point first
  std::vector<std::filesystem::path> hidden_;
};

/// The mount points of the host whose content belongs into a view besides `/`: real file systems, not those of the kernel,
/// of users' homes or of removable media. `mountinfo` as in /proc/self/mountinfo.
std::vector<std::filesystem::path> further_file_systems(std::string_view mountinfo);

}  // namespace slipway::container
