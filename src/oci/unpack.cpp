// SPDX-License-Identifier: Apache-2.0
#include "oci/unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/tar.hpp"
#include "oci/unpack_path.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/user_namespace.hpp"

namespace slipway::oci {
namespace {

using formats::TarEntry;
using formats::TarType;

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufsMeta = ".wh..wh.";
constexpr const char* kOpaqueXattrUser = "user.overlay.opaque";
constexpr std::size_t kUnpackPiece = 256u << 10;
constexpr std::size_t kHole = 32u << 10;  // a run of zeros this long is not written
constexpr int kMostLinks = 40;
constexpr std::size_t kMostImplied = 1000;

bool may_set_xattr(std::string_view name) {
  return name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default" ||
         (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

bool is_zero(std::string_view bytes) {
  return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

class Unpacker final {
 public:
  Unpacker(const os::Fd& root, const UnpackOptions& options, std::stop_token stop)
      : root_(root.get()), options_(options), stop_(std::move(stop)), buffer_(kUnpackPiece) {}

  Unpacked run(formats::Reader& layer) {
    Budget input(layer);
    formats::TarReader tar(input);
    for (;;) {
      check_stop();
      input.allow(kMostRest);
      auto entry = tar.next();
      if (!entry) break;
      if (++result_.entries > options_.limits.entries) {
        fail(Fault::bad_input, "the layer has more than {} entries", options_.limits.entries);
      }
      input.allow(entry->size + kMostRest);  // what is too large is refused in make_file()
      take(*entry, tar.content());
    }
    input.allow(kMostRest);
    while (input.read(buffer_) > 0)
      check_stop();  // what follows the end mark belongs to the diff id
    finish_directories();
    result_.implied.assign(implied_.begin(), implied_.end());
    return std::move(result_);
  }

 private:
  struct Parent {
    os::Fd fd;
    std::string path;
    bool is_open = false;
  };

  void check_stop() const {
    if (stop_.stop_requested()) throw Cancelled();
  }

  void take(const TarEntry& entry, formats::Reader& content) {
    std::string path = clean_entry_path(entry.path);
    if (path.empty()) {
      if (entry.type != TarType::directory)
        refuse_entry(entry.path, "the root of an image is a directory");
      directories_[path] = entry;
      return;
    }
    auto [directory, name] = split_path(path);
    if (name == kOpaque) return make_opaque(directory);
    if (name.starts_with(kAufsMeta)) return;  // aufs's own files; no image needs them
    if (name.starts_with(kWhiteout))
      return white_out(path, directory, name.substr(kWhiteout.size()));
    if (entry.type == TarType::char_device && entry.device_major == 0 && entry.device_minor == 0) {
      return white_out(path, directory, name);  // overlayfs would take it for one
    }
    int parent = open_parent(directory);
    make(entry, path, parent, name, content);
    if (options_.whiteouts == Whiteouts::apply) unpacked_.insert(path);
  }

  // The directory `path`, made when it is missing. The last one is kept open: entries come sorted.
  int open_parent(const std::string& path) {
    if (parent_.is_open && parent_.path == path) return parent_.fd.get();
    parent_.is_open = false;
    parent_.fd = os::Fd(open_in_root(root_, path, O_PATH | O_DIRECTORY));
    if (!parent_.fd.is_open()) {
      if (errno != ENOENT && errno != ENOTDIR) throw_for(path, "opening its directory");
      make_parents(path, 0);
      parent_.fd = os::Fd(open_in_root(root_, path, O_PATH | O_DIRECTORY));
      if (!parent_.fd.is_open()) throw_for(path, "opening its directory");
    }
    parent_.path = path;
    parent_.is_open = true;
    return parent_.fd.get();
  }

  // Makes each missing directory of `path`, also behind a link that leads to nothing yet.
  void make_parents(const std::string& path, int links) {
    if (links > kMostLinks) refuse_entry(path, "too many links");
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      std::string prefix = path.substr(0, end);
      if (!prefix.empty()) make_directory(prefix, links);
      if (end == std::string::npos) return;
    }
  }

  void make_directory(const std::string& path, int links) {
    os::Fd there(open_in_root(root_, path, O_PATH | O_DIRECTORY));
    if (there.is_open()) return;
    int why = errno;
    auto [directory, name] = split_path(path);
    os::Fd parent(open_in_root(root_, directory, O_PATH | O_DIRECTORY));
    if (!parent.is_open()) throw_for(path, "opening a directory");
    if (why == ENOTDIR && is_whiteout(parent.get(), name)) {  // removed below, made anew here
      clear(parent.get(), path, name, true);
      make_new_directory(path, parent.get(), name);
      return;
    }
    errno = why;
    if (why != ENOENT) throw_for(path, "opening a directory");
    if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) {
      if (::fchmodat(parent.get(), name.c_str(), 0755, 0) != 0)
        throw_for(path, "setting its mode");  // whatever the umask
      if (implied_.size() < kMostImplied)
        implied_.insert(path);
      else
        result_.needs_lower = true;
      return;
    }
    if (errno != EEXIST) throw_for(path, "making a directory");
    std::string target(PATH_MAX, '\0');
    ssize_t length = ::readlinkat(parent.get(), name.c_str(), target.data(), target.size());
    if (length < 0) throw_for(path, "making a directory");
    target.resize(static_cast<std::size_t>(length));
    if (!target.starts_with('/') && !directory.empty()) target = directory + "/" + target;
    std::size_t begin = target.find_first_not_of('/');
    make_parents(begin == std::string::npos ? "" : target.substr(begin), links + 1);
  }

  [[nodiscard]] bool is_whiteout(int parent, const std::string& name) const {
    struct stat info {};
    return options_.whiteouts == Whiteouts::overlay &&
           ::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISCHR(info.st_mode) && info.st_rdev == 0;
  }

  // Removes what has this name, unless it is a directory that a directory entry may go on with.
  //   returns  true when a directory stayed
  bool clear(int parent, const std::string& path, const std::string& name, bool for_directory) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return false;
      throw_for(path, "looking at it");
    }
    if (S_ISDIR(info.st_mode) && for_directory) return true;
    was_whiteout_ = is_whiteout(parent, name);
    remove(parent, path, name, S_ISDIR(info.st_mode));
    return false;
  }

  void remove(int parent, const std::string& path, const std::string& name, bool is_directory) {
    if (is_directory) {
      os::remove_tree(fmt::format("/proc/self/fd/{}/{}", parent, name));
      std::string below = path + "/";
      directories_.erase(directories_.lower_bound(below),
                         directories_.lower_bound(path + "0"));  // '0' follows '/'
    } else if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) {
      throw_for(path, "replacing it");
    }
    parent_.is_open = false;  // it may have been below, or behind a link
    directories_.erase(path);
    implied_.erase(path);
    unpacked_.erase(path);
  }

  void make(const TarEntry& entry, const std::string& path, int parent, const std::string& name,
            formats::Reader& content) {
    was_whiteout_ = false;
    bool stays = clear(parent, path, name, entry.type == TarType::directory);
    switch (entry.type) {
      case TarType::directory:
        if (!stays) make_new_directory(path, parent, name);
        implied_.erase(path);
        directories_[path] = entry;
        return;
      case TarType::file:
        return make_file(entry, path, parent, name, content);
      case TarType::hard_link:
        return make_hard_link(entry, path, name);
      case TarType::symlink:
        if (::symlinkat(entry.link_target.c_str(), parent, name.c_str()) != 0)
          throw_for(path, "making a link");
        break;
      default:
        make_special(entry, path, parent, name);
    }
    finish_node(entry, path, parent, name);
  }

  void make_new_directory(const std::string& path, int parent, const std::string& name) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0) throw_for(path, "making a directory");
    if (!was_whiteout_) return;
    os::Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.is_open()) throw_for(path, "opening a directory");
    mark_opaque(fd.get(), path);  // the layer removed the lower one first
  }

  void make_file(const TarEntry& entry, const std::string& path, int parent,
                 const std::string& name, formats::Reader& content) {
    if (entry.size > options_.limits.bytes - result_.bytes) {
      fail(Fault::bad_input, "the layer holds more than {} bytes", options_.limits.bytes);
    }
    os::Fd file(
        ::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open()) throw_for(path, "making a file");
    write_content(file.get(), entry, content);
    if (options_.own && ::fchown(file.get(), entry.uid, entry.gid) != 0 &&
        !os::is_unmapped_owner(errno))
      throw_for(path, "setting its owner");
    if (::fchmod(file.get(), entry.mode & 07777) != 0)
      throw_for(path, "setting its mode");  // after chown, which clears setuid
    set_xattrs(file.get(), entry, path);
    const std::array<timespec, 2> times = times_of(entry);
    if (::futimens(file.get(), times.data()) != 0) throw_for(path, "setting its time");
  }

  void write_content(int file, const TarEntry& entry, formats::Reader& content) {
    std::uint64_t done = 0;
    bool ends_in_hole = false;
    while (std::size_t count = formats::read_fully(content, buffer_)) {
      check_stop();
      std::string_view piece(buffer_.data(), count);
      ends_in_hole = count >= kHole && is_zero(piece);
      if (ends_in_hole) {
        if (::lseek(file, static_cast<off_t>(count), SEEK_CUR) < 0) os::throw_errno("seeking");
      } else {
        os::write_all(file, piece);
      }
      done += count;
    }
    if (ends_in_hole && ::ftruncate(file, static_cast<off_t>(done)) != 0)
      os::throw_errno("setting a file's length");
    if (done != entry.size) refuse_entry(entry.path, "its content is cut short");
    result_.bytes += done;
  }

  void make_hard_link(const TarEntry& entry, const std::string& path, const std::string& name) {
    std::string target = clean_entry_path(entry.link_target);
    auto [target_directory, target_name] = split_path(target);
    if (target == path) refuse_entry(path, "a hard link to itself");
    if (target_name.empty()) refuse_entry(path, "a hard link to a directory");
    os::Fd from(open_in_root(root_, target_directory, O_PATH | O_DIRECTORY));
    struct stat info {};
    if (!from.is_open() ||
        ::fstatat(from.get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (options_.whiteouts != Whiteouts::overlay)
        refuse_entry(path, fmt::format("a hard link to '{}', which is not there", target));
      if (result_.missing_link.empty()) result_.missing_link = path;
      return;
    }
    if (S_ISDIR(info.st_mode)) refuse_entry(path, "a hard link to a directory");
    int parent = open_parent(split_path(path).directory);
    if (::linkat(from.get(), target_name.c_str(), parent, name.c_str(), 0) != 0)
      throw_for(path, "making a hard link");
  }

  void make_special(const TarEntry& entry, const std::string& path, int parent,
                    const std::string& name) {
    mode_t kind = entry.type == TarType::fifo          ? S_IFIFO
                  : entry.type == TarType::char_device ? S_IFCHR
                                                       : S_IFBLK;
    bool may_make = options_.own && !os::is_in_user_namespace();
    if (!may_make && kind != S_IFIFO) kind = S_IFREG;
    dev_t device =
        kind == S_IFCHR || kind == S_IFBLK ? ::makedev(entry.device_major, entry.device_minor) : 0;
    if (::mknodat(parent, name.c_str(), kind | 0600, device) != 0)
      throw_for(path, "making a special file");
  }

  // Owner, mode and time of what is not written through a descriptor. Never follows a link.
  void finish_node(const TarEntry& entry, const std::string& path, int parent,
                   const std::string& name) {
    const char* at = name.c_str();
    if (options_.own && ::fchownat(parent, at, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0 &&
        !os::is_unmapped_owner(errno)) {
      throw_for(path, "setting its owner");
    }
    if (entry.type != TarType::symlink) {  // nothing but us made it: the name is no link
      if (::fchmodat(parent, at, entry.mode & 07777, 0) != 0) throw_for(path, "setting its mode");
    }
    const std::array<timespec, 2> times = times_of(entry);
    if (::utimensat(parent, at, times.data(), AT_SYMLINK_NOFOLLOW) != 0)
      throw_for(path, "setting its time");
  }

  void set_xattrs(int file, const TarEntry& entry, const std::string& path) {
    if (!options_.own) return;
    for (const auto& [name, value] : entry.xattrs) {
      if (!may_set_xattr(name)) continue;
      if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) == 0) continue;
      if (errno != ENOTSUP) throw_for(path, fmt::format("setting '{}'", name));
    }
  }

  static std::array<timespec, 2> times_of(const TarEntry& entry) {
    timespec time{};
    time.tv_sec = entry.mtime;
    time.tv_nsec = static_cast<long>(entry.mtime_ns % 1'000'000'000);
    return {time, time};
  }

  // Directories get their mode and time last: their content changes the time, and the mode may
  // forbid to make it.
  void finish_directories() {
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
      const auto& [path, entry] = *at;
      auto [directory, name] = split_path(path);
      os::Fd parent(open_in_root(root_, directory, O_PATH | O_DIRECTORY));
      if (!parent.is_open())
        throw_for(path, "opening its directory");  // it was behind a link that is gone
      os::Fd fd(::openat(parent.get(), name.empty() ? "." : name.c_str(),
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd.is_open()) throw_for(path, "opening a directory");
      if (options_.own && ::fchown(fd.get(), entry.uid, entry.gid) != 0 &&
          !os::is_unmapped_owner(errno))
        throw_for(path, "setting its owner");
      set_xattrs(fd.get(), entry, path);
      if (::fchmod(fd.get(), entry.mode & 07777) != 0) throw_for(path, "setting its mode");
      const std::array<timespec, 2> times = times_of(entry);
      if (::futimens(fd.get(), times.data()) != 0) throw_for(path, "setting its time");
    }
  }

  void mark_opaque(int directory, const std::string& path) {
    const char* name = options_.own ? os::overlay_opaque_xattr() : kOpaqueXattrUser;
    if (::fsetxattr(directory, name, "y", 1, 0) != 0) throw_for(path, "making a directory opaque");
  }

  void make_opaque(const std::string& directory) {
    if (options_.whiteouts == Whiteouts::apply) return empty_directory(directory);
    if (directory.empty()) result_.needs_lower = true;  // overlayfs merges roots always
    open_parent(directory);
    os::Fd fd(open_in_root(root_, directory, O_RDONLY | O_DIRECTORY));
    if (!fd.is_open()) throw_for(directory, "opening a directory");
    mark_opaque(fd.get(), directory);
  }

  void white_out(const std::string& path, const std::string& directory, const std::string& name) {
    if (name.empty() || name == "." || name == "..") refuse_entry(path, "a whiteout of no name");
    std::string target = directory.empty() ? name : directory + "/" + name;
    if (options_.whiteouts == Whiteouts::apply) {
      if (came_with_layer(target))
        return empty_directory(target);  // only what lies below the layer goes
      os::Fd parent(open_in_root(root_, directory, O_PATH | O_DIRECTORY));
      if (parent.is_open()) remove_if_there(parent.get(), target, name);
      return;
    }
    int parent = open_parent(directory);
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) ==
        0) {  // came with this layer: only what is below goes
      if (S_ISDIR(info.st_mode)) make_opaque(target);
      return;
    }
    if (::mknodat(parent, name.c_str(), S_IFCHR, ::makedev(0, 0)) != 0)
      throw_for(path, "making a whiteout");
  }

  void remove_if_there(int parent, const std::string& path, const std::string& name) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT || errno == ENAMETOOLONG) return;
      throw_for(path, "looking at it");
    }
    remove(parent, path, name, S_ISDIR(info.st_mode));
  }

  // Removes what the lower layers left in a directory.
  void empty_directory(const std::string& directory) {
    os::Fd fd(open_in_root(root_, directory, O_RDONLY | O_DIRECTORY));
    if (!fd.is_open()) {
      if (errno == ENOENT || errno == ENOTDIR) return;
      throw_for(directory, "opening a directory");
    }
    for (const auto& entry :
         std::filesystem::directory_iterator(fmt::format("/proc/self/fd/{}", fd.get()))) {
      std::string name = entry.path().filename().string();
      std::string path = directory.empty() ? name : directory + "/" + name;
      if (!came_with_layer(path)) {
        remove_if_there(fd.get(), path, name);
      } else if (entry.symlink_status().type() == std::filesystem::file_type::directory) {
        empty_directory(path);
      }
    }
  }

  // The path itself or something below it was unpacked from this layer.
  [[nodiscard]] bool came_with_layer(const std::string& path) const {
    if (unpacked_.contains(path)) return true;
    auto below = unpacked_.lower_bound(path + "/");
    return below != unpacked_.end() && below->starts_with(path + "/");
  }

  int root_;
  const UnpackOptions& options_;
  std::stop_token stop_;
  std::vector<char> buffer_;
  Unpacked result_;
  Parent parent_;
  std::map<std::string, TarEntry> directories_;  // their last entries, by path
  std::set<std::string> implied_;
  std::set<std::string> unpacked_;
  bool was_whiteout_ = false;  // what clear() removed last
};

}  // namespace

Unpacked apply_layer(formats::Reader& layer, const os::Fd& root, const UnpackOptions& options,
                     const std::stop_token& stop) {
  return Unpacker(root, options, stop).run(layer);
}

}  // namespace slipway::oci
