// SPDX-License-Identifier: Apache-2.0
#include "image/layer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/mount.hpp"
#include "os/user_namespace.hpp"

namespace slipway::image {
namespace {

using formats::TarEntry;
using formats::TarType;

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Cancelled();
}

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

void read_upper_below(const std::string& real, const std::string& prefix, Entries& out,
                      const std::stop_token& stop) {
  check_stop(stop);
  std::unique_ptr<DIR, CloseDirectory> stream(::opendir(real.c_str()));
  if (!stream) os::throw_errno("open '" + real + "'");
  while (const dirent* entry =
             ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is our own
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(::dirfd(stream.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      os::throw_errno(fmt::format("stat '{}/{}'", real, name));
    }
    auto node = node_of(status, real + "/" + name);
    if (!node) continue;
    if (node->type == TarType::char_device && node->device_major == 0 && node->device_minor == 0) {
      out.emplace(prefix + ".wh." + name, Node{.content = std::make_shared<std::string>()});
      continue;
    }
    bool is_directory = node->is_directory();
    std::string path = prefix + name;
    std::string below = node->real;
    if (!node->is_symlink()) node->xattrs = read_xattrs(node->real);
    out.emplace(path, std::move(*node));
    if (!is_directory) continue;
    char opaque = 0;
    if (::lgetxattr(below.c_str(), os::overlay_opaque_xattr(), &opaque, 1) == 1 && opaque == 'y') {
      out.emplace(path + "/.wh..wh..opq", Node{.content = std::make_shared<std::string>()});
    }
    read_upper_below(below, path + "/", out, stop);
  }
}

TarEntry tar_entry(const std::string& path, const Node& node,
                   std::optional<std::int64_t> clamp_mtime) {
  TarEntry entry{.path = path,
                 .type = node.type,
                 .mode = node.mode,
                 .uid = node.uid,
                 .gid = node.gid,
                 .size = node.is_file() ? node.size : 0,
                 .mtime = node.mtime,
                 .link_target = node.link_target,
                 .device_major = node.device_major,
                 .device_minor = node.device_minor,
                 .xattrs = node.xattrs};
  if (node.is_directory()) entry.path += '/';
  if (clamp_mtime) entry.mtime = std::min(entry.mtime, *clamp_mtime);
  return entry;
}

// Where new files go; remembers which file on disk a name was first used for.
class DirectoryWriter {
 public:
  DirectoryWriter(const Entries& entries, const std::filesystem::path& root,
                  const std::vector<std::filesystem::path>& may_link)
      : entries_(entries), root_(root.string()), may_link_(may_link) {}

  void run(const std::stop_token& stop) {
    std::size_t count = 0;
    for (const auto& [path, node] : entries_) {
      if (++count % 256 == 0) check_stop(stop);
      write(path, node);
    }
    // Directories last and deepest first: writing into them changed their times.
    for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
      if (it->second.is_directory()) set_times(root_ + "/" + it->first, it->second);
    }
  }

 private:
  void write(const std::string& path, const Node& node) {
    auto slash = path.rfind('/');
    if (slash != std::string::npos) {  // else a link in our own tree could lead a write astray
      auto parent = entries_.find(path.substr(0, slash));
      if (parent == entries_.end() || !parent->second.is_directory())
        fail(Fault::failed, "'{}' has no directory", path);
    }
    std::string to = root_ + "/" + path;
    switch (node.type) {
      case TarType::directory:
        check(::mkdir(to.c_str(), 0700) == 0 || errno == EEXIST, "mkdir", to);
        break;
      case TarType::symlink:
        check(::symlink(node.link_target.c_str(), to.c_str()) == 0, "symlink", to);
        break;
      case TarType::char_device:
      case TarType::block_device:
        check(::mknod(to.c_str(), (node.type == TarType::char_device ? S_IFCHR : S_IFBLK) | 0600u,
                      makedev(node.device_major, node.device_minor)) == 0,
              "mknod", to);
        break;
      case TarType::fifo:
        check(::mkfifo(to.c_str(), 0600) == 0, "mkfifo", to);
        break;
      default:
        if (!link_file(to, node)) write_file(to, node);
        return;
    }
    check(::lchown(to.c_str(), node.uid, node.gid) == 0 || os::is_unmapped_owner(errno), "chown",
          to);
    if (!node.is_symlink()) check(::chmod(to.c_str(), node.mode) == 0, "chmod", to);
    set_xattrs(to, node);
    if (!node.is_directory()) set_times(to, node);
  }

  // A second name of a file, or a file that another layer has just so.
  bool link_file(const std::string& to, const Node& node) {
    if (node.content || node.inode == 0) return false;
    std::pair key{node.device, node.inode};
    if (auto known = written_.find(key); node.links > 1 && known != written_.end()) {
      check(::link(known->second.c_str(), to.c_str()) == 0, "link", to);
      return true;
    }
    written_.emplace(key, to);
    bool unchanged = false;
    for (const auto& root : may_link_)
      unchanged = unchanged || node.real.starts_with(root.string() + "/");
    if (!unchanged) return false;
    struct stat status {};
    if (::lstat(node.real.c_str(), &status) != 0 || status.st_uid != node.uid ||
        status.st_gid != node.gid || (status.st_mode & 07777) != node.mode) {
      return false;
    }
    return ::link(node.real.c_str(), to.c_str()) == 0;
  }

  void write_file(const std::string& to, const Node& node) {
    os::Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out.is_open() && errno == EEXIST) {
      check(::unlink(to.c_str()) == 0, "replace", to);
      out = os::open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    }
    check(out.is_open(), "open", to);
    if (node.content) {
      os::write_all(out.get(), *node.content);
    } else {
      os::Fd in = os::open_file(node.real, O_RDONLY | O_NOFOLLOW);
      copy_content(in.get(), out.get(), node);
    }
    check(::fchown(out.get(), node.uid, node.gid) == 0 || os::is_unmapped_owner(errno), "chown",
          to);
    check(::fchmod(out.get(), node.mode) == 0, "chmod", to);
    set_xattrs(to, node);
    timespec times[2] = {time_of(node), time_of(node)};
    check(::futimens(out.get(), times) == 0, "utimens", to);
  }

  static void copy_content(int in, int out, const Node& node) {
    std::uint64_t left = node.size;
    while (left > 0) {
      ssize_t got = ::copy_file_range(in, nullptr, out, nullptr, left, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
        break;
      if (got < 0) os::throw_errno("copy '" + node.real + "'");
      if (got == 0) break;
      left -= static_cast<std::uint64_t>(got);
    }
    if (left > 0) {
      formats::FdReader reader(in);
      formats::LimitedReader limited(reader, left);
      formats::FdWriter writer(out);
      left -= formats::copy_all(limited, writer);
    }
    if (left > 0) fail(Fault::unavailable, "'{}' became shorter while it was copied", node.real);
  }

  static timespec time_of(const Node& node) {
    return {.tv_sec = node.mtime, .tv_nsec = static_cast<long>(node.mtime_ns)};
  }
  static void set_times(const std::string& to, const Node& node) {
    timespec times[2] = {time_of(node), time_of(node)};
    check(::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, "utimens", to);
  }
  static void set_xattrs(const std::string& to, const Node& node) {
    for (const auto& [name, value] : node.xattrs) {
      check(::lsetxattr(to.c_str(), name.c_str(), value.data(), value.size(), 0) == 0, "setxattr",
            to);
    }
  }
  static void check(bool ok, std::string_view what, const std::string& path) {
    if (!ok) os::throw_errno(fmt::format("{} '{}'", what, path));
  }

  const Entries& entries_;
  std::string root_;
  const std::vector<std::filesystem::path>& may_link_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> written_;
};

}  // namespace

Entries read_upper(const std::filesystem::path& upper, const std::stop_token& stop) {
  Entries out;
  read_upper_below(upper.string(), "", out, stop);
  return out;
}

void write_tar(const Entries& entries, formats::Writer& out,
               std::optional<std::int64_t> clamp_mtime, const std::stop_token& stop) {
  formats::TarWriter tar(out);
  std::map<std::pair<std::uint64_t, std::uint64_t>, const std::string*> first_names;
  std::size_t count = 0;
  for (const auto& [path, node] : entries) {
    if (++count % 256 == 0) check_stop(stop);
    TarEntry entry = tar_entry(path, node, clamp_mtime);
    if (node.is_file() && node.links > 1 && node.inode != 0) {
      auto [first, is_new] = first_names.try_emplace({node.device, node.inode}, &path);
      if (!is_new) {
        entry.type = TarType::hard_link;
        entry.size = 0;
        entry.link_target = *first->second;
        tar.add(entry);
        continue;
      }
    }
    if (!node.is_file() || node.content) {
      tar.add(entry, node.content ? std::string_view(*node.content) : std::string_view());
    } else {
      os::Fd fd = os::open_file(node.real, O_RDONLY | O_NOFOLLOW);
      formats::FileRangeReader reader(fd.get(), 0, node.size);
      tar.add(entry, reader);
    }
  }
  tar.finish();
}

void write_directory(const Entries& entries, const std::filesystem::path& root,
                     const std::vector<std::filesystem::path>& may_link,
                     const std::stop_token& stop) {
  DirectoryWriter(entries, root, may_link).run(stop);
}

}  // namespace slipway::image
