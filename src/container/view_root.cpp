// SPDX-License-Identifier: Apache-2.0
#include "container/view_root.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::container {
namespace {

namespace fs = std::filesystem;

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory == "/" ? directory : directory + "/");
}

struct stat stat_of(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) os::throw_errno(fmt::format("'{}'", path.string()));
  return info;
}

void copy_attributes(const fs::path& from, const fs::path& to) {
  auto info = stat_of(from);
  if (::chown(to.c_str(), info.st_uid, info.st_gid) != 0 ||
      ::chmod(to.c_str(), info.st_mode & 07777) != 0) {
    os::throw_errno(fmt::format("setting owner and mode of '{}'", to.string()));
  }
}

}  // namespace

std::vector<fs::path> further_file_systems(std::string_view mountinfo) {
  static const std::set<std::string> kReal = {"ext2", "ext3",     "ext4", "xfs",    "btrfs",
                                              "f2fs", "bcachefs", "zfs",  "overlay"};
  std::set<fs::path> found;
  for (auto line : lines_of(mountinfo)) {
    auto dash = line.find(" - ");
    auto fields = split(line, ' ');
    if (dash == std::string_view::npos || fields.size() < 7) continue;
    auto type = split(line.substr(dash + 3), ' ')[0];
    const std::string& point = fields[4];
    bool is_outside = point == "/" || point.find('\\') != std::string::npos;
    for (const char* place :
         {"/proc", "/sys", "/dev", "/run", "/tmp", "/home", "/root", "/boot", "/mnt", "/media"}) {
      is_outside = is_outside || is_below(point, place);
    }
    if (!is_outside && kReal.contains(type)) found.insert(point);
  }
  return {found.begin(), found.end()};
}

ViewRoot::ViewRoot(fs::path directory) {
  int number = 0;
  std::vector<fs::path> points = {"/"};
  for (const auto& point : further_file_systems(os::read_file("/proc/self/mountinfo"))) {
    std::error_code error;
    if (fs::is_directory(point, error)) points.push_back(point);
  }
  for (const auto& point : points) {
    auto place = directory / fmt::format("part-{}", number++);
    Part part{point, place / "upper", place / "work"};
    os::make_dirs(part.upper);
    os::remove_tree(part.work);  // of an earlier view: overlayfs wants an empty one
    os::make_dirs(part.work);
    copy_attributes(point, part.upper);
    parts_.push_back(part);
  }
  std::sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) {
    return a.point.string().size() > b.point.string().size();
  });
}

Rootfs ViewRoot::rootfs() const {
  const auto& part = parts_.back();  // "/" is the shortest
  return {.lower = {part.point}, .upper = part.upper, .work = part.work, .discard = true};
}

std::vector<MountPoint> ViewRoot::mounts() const {
  std::vector<MountPoint> out;
  for (auto part = parts_.rbegin() + 1; part != parts_.rend(); ++part) {
    out.push_back({.kind = MountPoint::Kind::overlay,
                   .source = part->point,
                   .target = part->point.string(),
                   .upper = part->upper,
                   .work = part->work});
  }
  return out;
}

fs::path ViewRoot::place_of(const fs::path& path) {
  auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& candidate) {
    return is_below(path.string(), candidate.point.string());
  });
  if (part == parts_.end()) fail(Fault::bad_input, "'{}' is not an absolute path", path.string());
  fs::path host = part->point;
  fs::path here = part->upper;
  for (const auto& name : path.parent_path().lexically_relative(part->point)) {
    if (name == "." || name.empty()) continue;
    host /= name;
    here /= name;
    if (fs::is_directory(here)) continue;
    os::make_dirs(here);
    if (fs::is_directory(fs::symlink_status(host))) copy_attributes(host, here);
  }
  return here / path.filename();
}

void ViewRoot::hide(const fs::path& path) {
  std::error_code error;
  auto real = fs::canonical(path, error);  // a link in the way would be replaced by a directory
  if (error || real == "/") return;
  for (const auto& directory : hidden_) {
    if (is_below(real.string(), directory.string())) return;
  }
  auto place = place_of(real);
  hidden_.push_back(real);
  if (fs::is_directory(real)) {
    os::make_dirs(place);
    copy_attributes(real, place);
    if (::setxattr(place.c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
      os::throw_errno(fmt::format("hiding '{}'", real.string()));
    }
  } else if (::mknod(place.c_str(), S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST) {
    os::throw_errno(fmt::format("hiding '{}'", real.string()));
  }
}

void ViewRoot::write(const fs::path& path, std::string_view content, unsigned mode) {
  std::error_code error;
  auto real = fs::weakly_canonical(path, error);
  auto place = place_of(error ? path : real);
  os::write_file(place, content, mode);
  if (::chmod(place.c_str(), mode) != 0) os::throw_errno(fmt::format("'{}'", place.string()));
}

}  // namespace slipway::container
