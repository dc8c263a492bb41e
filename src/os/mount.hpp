// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace slipway::os {

/// What an overlay is made of. Paths may hold any character; escaping is done here.
struct Overlay {
  std::vector<std::filesystem::path>
      lower;                    ///< top-most first; at least one; at most about 500; may repeat
  std::filesystem::path upper;  ///< empty: read-only
  std::filesystem::path work;   ///< empty directory on the file system of `upper`
  bool no_devices = false;      ///< device nodes in it cannot be opened
  bool no_sync =
      false;  ///< fsync does nothing: for what need not survive a crash of the machine; `work` cannot be used again
};

/// The attribute of a directory that hides what is below it: another one in a user namespace, where nobody may set the usual one.
const char* overlay_opaque_xattr();

/// Mounts an overlay on the existing directory `target`. throws Error{unavailable, denied}
void mount_overlay(const Overlay& overlay, const std::filesystem::path& target);
/// Binds `source` (a file or a directory) on the existing `target`; read-only and recursive as asked.
void bind_mount(const std::filesystem::path& source, const std::filesystem::path& target,
                bool read_only, bool recursive = true);
/// Mounts a tmpfs; `options` as in mount(8), such as "size=64m,mode=755".
void mount_tmpfs(const std::filesystem::path& target, const std::string& options);
/// Detaches what is mounted on `target` (lazily); false when nothing is mounted there.
bool unmount(const std::filesystem::path& target);
/// The mount points at or below `directory`, deepest first.
std::vector<std::filesystem::path> mounts_below(const std::filesystem::path& directory);

/// Unmounts its target at the end.
class Mount final {
 public:
  Mount() = default;
  explicit Mount(std::filesystem::path target) : target_(std::move(target)) {}
  Mount(Mount&& other) noexcept;
  Mount& operator=(Mount&& other) noexcept;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { reset(); }
  [[nodiscard]] const std::filesystem::path& target() const { return target_; }
  void reset() noexcept;

 private:
  std::filesystem::path target_;
};

}  // namespace slipway::os
