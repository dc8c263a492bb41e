// SPDX-License-Identifier: Apache-2.0
#include "os/mount.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/user_namespace.hpp"

namespace slipway::os {
namespace {

// overlayfs splits its options at ',' and lowerdir at ':'; a backslash takes that meaning away.
std::string escaped(const std::filesystem::path& path) {
  std::string out;
  for (char c : path.string()) {
    if (c == ',' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

void check(bool ok, std::string_view what, const std::filesystem::path& target) {
  if (!ok) throw_errno(fmt::format("{} on '{}'", what, target.string()));
}

void fs_option(int fd, const char* key, const std::string& value) {
  if (::fsconfig(fd, FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0) {
    throw_errno(fmt::format("overlay option {}={}", key, value));
  }
}

// A layer that stands twice hides itself: what is below its upper place shows nothing more, and the kernel refuses the pair.
std::vector<std::filesystem::path> without_repeats(
    const std::vector<std::filesystem::path>& lower) {
  std::vector<std::filesystem::path> once;
  for (const auto& layer : lower) {
    if (std::find(once.begin(), once.end(), layer) == once.end()) once.push_back(layer);
  }
  return once;
}

}  // namespace

const char* overlay_opaque_xattr() {
  return is_in_user_namespace() ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

// fsopen/fsconfig instead of mount(2): its options are limited to one page, which 40 layers exceed.
void mount_overlay(const Overlay& overlay, const std::filesystem::path& target) {
  Fd fs(::fsopen("overlay", FSOPEN_CLOEXEC));
  check(fs.is_open(), "overlay", target);
  const auto layers = without_repeats(overlay.lower);
  bool appends = true;
  for (const auto& lower : layers) {  // "lowerdir+" appends one layer (Linux 6.7)
    if (::fsconfig(fs.get(), FSCONFIG_SET_STRING, "lowerdir+", lower.c_str(), 0) != 0) {
      if (errno != EINVAL && errno != ENOENT)
        throw_errno(fmt::format("overlay layer '{}'", lower.string()));
      appends = false;
      break;
    }
  }
  if (!appends) {
    fs = Fd(::fsopen("overlay", FSOPEN_CLOEXEC));
    check(fs.is_open(), "overlay", target);
    std::string all;
    for (const auto& lower : layers) all += (all.empty() ? "" : ":") + escaped(lower);
    fs_option(fs.get(), "lowerdir", all);
  }
  if (!overlay.upper.empty()) {
    fs_option(fs.get(), "upperdir", appends ? overlay.upper.string() : escaped(overlay.upper));
    fs_option(fs.get(), "workdir", appends ? overlay.work.string() : escaped(overlay.work));
  }
  if (is_in_user_namespace() &&
      ::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) != 0)
    throw_errno("overlay option userxattr (an ordinary user's overlays need Linux 5.11)");
  if (overlay.no_sync && !overlay.upper.empty()) {
    ::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "volatile", nullptr,
               0);  // Linux 5.10; before it, merely slower
  }
  check(::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, "overlay", target);
  Fd mount(::fsmount(fs.get(), FSMOUNT_CLOEXEC, overlay.no_devices ? MOUNT_ATTR_NODEV : 0));
  check(mount.is_open(), "overlay", target);
  check(::move_mount(mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0,
        "overlay", target);
}

void bind_mount(const std::filesystem::path& source, const std::filesystem::path& target,
                bool read_only, bool recursive) {
  unsigned long flags = MS_BIND | (recursive ? static_cast<unsigned long>(MS_REC) : 0UL);
  check(::mount(source.c_str(), target.c_str(), nullptr, flags, nullptr) == 0,
        fmt::format("binding '{}'", source.string()), target);
  if (!read_only) return;
  if (::mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    int error = errno;
    unmount(target);
    errno = error;
    throw_errno(fmt::format("making '{}' read-only", target.string()));
  }
}

void mount_tmpfs(const std::filesystem::path& target, const std::string& options) {
  check(::mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0,
        "tmpfs", target);
}

bool unmount(const std::filesystem::path& target) {
  if (::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return true;
  if (errno == EINVAL || errno == ENOENT) return false;
  throw_errno("unmounting '" + target.string() + "'");
}

std::vector<std::filesystem::path> mounts_below(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  std::string base = std::filesystem::weakly_canonical(directory).string();
  std::string info = read_file("/proc/self/mountinfo");
  for (auto line : lines_of(info)) {
    auto fields = split(line, ' ');
    if (fields.size() < 5) continue;
    std::string point = unescaped(fields[4]);
    if (point == base || point.starts_with(base == "/" ? base : base + "/"))
      found.emplace_back(point);
  }
  std::reverse(found.begin(), found.end());  // later mounts lie deeper or on top
  return found;
}

Mount::Mount(Mount&& other) noexcept : target_(std::exchange(other.target_, {})) {}

Mount& Mount::operator=(Mount&& other) noexcept {
  if (this != &other) {
    reset();
    target_ = std::exchange(other.target_, {});
  }
  return *this;
}

void Mount::reset() noexcept {
  if (target_.empty()) return;
  try {
    unmount(target_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): mounts_below() finds what is left
  }
  target_.clear();
}

}  // namespace slipway::os
