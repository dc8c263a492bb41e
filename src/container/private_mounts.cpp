// SPDX-License-Identifier: Apache-2.0
#include "container/private_mounts.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/cgroup.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/user_namespace.hpp"

namespace slipway::container {
namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";
constexpr const char* kUnified = "/sys/fs/cgroup/unified";

os::Fd open_in(const os::Fd& root, const std::string& relative) {
  open_how how{
      .flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  const char* path = relative.empty() ? "." : relative.c_str();
  return os::Fd(static_cast<int>(::syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
}

void remove_if_empty(const os::Fd& root, const std::string& relative) {
  auto slash = relative.rfind('/');
  os::Fd parent = open_in(root, slash == std::string::npos ? "" : relative.substr(0, slash));
  if (!parent.is_open()) return;
  std::string name = slash == std::string::npos ? relative : relative.substr(slash + 1);
  struct stat info {};
  if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISDIR(info.st_mode)) {
    ::unlinkat(parent.get(), name.c_str(),
               AT_REMOVEDIR);  // fails when something is in it: then it is the container's
  } else if (S_ISREG(info.st_mode) && info.st_size == 0) {
    ::unlinkat(parent.get(), name.c_str(), 0);
  }
}

os::Fd open_directory(const std::filesystem::path& path) {
  os::Fd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) os::throw_errno(fmt::format("opening '{}'", path.string()));
  return directory;
}

MountPoint file_mount(const std::filesystem::path& source, const std::string& target) {
  return {.kind = MountPoint::Kind::bind, .source = source, .target = target};
}

// The content to be seen at `target`: what the spec says, else with the host's network the host's own.
void add_resolver_file(ContainerSpec& spec, const std::optional<std::string>& content,
                       const std::string& target, const std::filesystem::path& bundle) {
  for (const auto& point : spec.mounts) {
    if (point.target == target) return;
  }
  if (content) {
    auto file = bundle / std::filesystem::path(target).filename();
    os::write_file(file, *content);
    spec.mounts.push_back(file_mount(file, target));
  } else if (spec.network.kind == NetworkChoice::Kind::host && std::filesystem::exists(target)) {
    auto mount = file_mount(std::filesystem::canonical(target), target);
    mount.read_only = true;
    spec.mounts.push_back(mount);
  }
}

}  // namespace

void enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) os::throw_errno("making a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    os::throw_errno("making mounts private");
  // Covered rather than unmounted: unmounting waits for the kernel's readers, some 20 ms.
  if (cgroup_layout() == CgroupLayout::mixed) os::mount_tmpfs(kUnified, "size=0k");
  // What an ordinary user may not use is better not seen: crun refuses mixed cgroups also when it is to leave them alone.
  std::error_code absent;
  if (os::is_in_user_namespace() && std::filesystem::exists(kCgroups, absent))
    os::mount_tmpfs(kCgroups, "size=0k");
}

void in_private_mounts(const std::stop_token& stop,
                       const std::function<void(const std::stop_token&)>& work) {
  TaskGroup group(stop);
  group.start([&](const std::stop_token& inner) {
    enter_private_mounts();
    work(inner);
  });
  group.join();
}

void mount_rootfs(const Rootfs& rootfs, const std::filesystem::path& target) {
  bool is_single = rootfs.lower.size() == 1 &&
                   rootfs.upper.empty();  // the kernel makes no overlay of one directory
  if (!rootfs.lower.empty() && !is_single) {
    os::mount_overlay({.lower = rootfs.lower,
                       .upper = rootfs.upper,
                       .work = rootfs.work,
                       .no_sync = rootfs.discard},
                      target);
    return;
  }
  const auto& directory = is_single ? rootfs.lower[0] : rootfs.directory;
  if (directory.empty()) fail(Fault::bad_input, "a container needs layers or a root directory");
  os::bind_mount(directory, target, false);
}

ContainerSpec with_mounts_made(const ContainerSpec& spec, const std::filesystem::path& bundle) {
  ContainerSpec made = spec;
  if (spec.rootfs.directory.empty() && spec.rootfs.upper.empty()) made.rootfs.read_only = true;
  int number = 0;
  for (auto& point : made.mounts) {
    if (point.kind != MountPoint::Kind::overlay) continue;
    auto target = bundle / fmt::format("overlay-{}", number++);
    os::make_dirs(target);
    os::mount_overlay({.lower = {point.source},
                       .upper = point.upper,
                       .work = point.work,
                       .no_devices = true,
                       .no_sync = true},
                      target);
    point.kind = MountPoint::Kind::bind;
    point.source = target;
  }
  add_resolver_file(made, spec.resolv_conf, "/etc/resolv.conf", bundle);
  add_resolver_file(made, spec.hosts, "/etc/hosts", bundle);
  return made;
}

MountStubs::MountStubs(const std::filesystem::path& root, const std::filesystem::path& upper,
                       const ContainerSpec& spec)
    : upper_(upper) {
  std::vector<std::string> targets = {"proc", "dev", "sys"};
  for (const auto& point : spec.mounts) targets.push_back(point.target);
  os::Fd directory = open_directory(root);
  for (const auto& target : targets) note_missing(root, directory, target);
}

void MountStubs::note_missing(const std::filesystem::path& root, const os::Fd& directory,
                              const std::string& target) {
  std::string real;  // where we are, links resolved
  bool is_missing = false;
  for (const auto& part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    auto next = real.empty() ? part : real + "/" + part;
    os::Fd found = is_missing ? os::Fd() : open_in(directory, next);
    if (found.is_open()) {
      std::error_code error;
      auto path =
          std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", found.get()), error);
      real = path == root ? std::string() : path.lexically_relative(root).string();
      continue;
    }
    if (!is_missing) note_parents(directory, real);
    is_missing = true;
    real = next;
    if (std::find(missing_.begin(), missing_.end(), real) == missing_.end())
      missing_.push_back(real);
  }
}

// The directories above a stub that `upper` does not hold yet.
void MountStubs::note_parents(const os::Fd& directory, std::string path) {
  std::vector<Parent> chain;
  while (!path.empty() && !std::filesystem::exists(upper_ / path)) {
    struct stat info {};
    os::Fd found = open_in(directory, path);
    if (!found.is_open() || ::fstat(found.get(), &info) != 0) return;
    chain.push_back({path, info.st_mode, info.st_uid, info.st_gid});
    auto slash = path.rfind('/');
    path = slash == std::string::npos ? std::string() : path.substr(0, slash);
  }
  parents_.insert(parents_.end(), chain.rbegin(), chain.rend());
}

void MountStubs::remove() const {
  os::Fd directory = open_directory(upper_);
  for (auto at = missing_.rbegin(); at != missing_.rend(); ++at) remove_if_empty(directory, *at);
  for (auto at = parents_.rbegin(); at != parents_.rend(); ++at) {
    struct stat info {};
    auto path = upper_ / at->path;
    bool is_same = ::lstat(path.c_str(), &info) == 0 && info.st_mode == at->mode &&
                   info.st_uid == at->uid && info.st_gid == at->gid;
    bool is_opaque = ::lgetxattr(path.c_str(), "trusted.overlay.opaque", nullptr, 0) >= 0;
    if (is_same && !is_opaque) remove_if_empty(directory, at->path);
  }
}

}  // namespace slipway::container
