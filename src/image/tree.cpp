// SPDX-License-Identifier: Apache-2.0
#include "image/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/mount.hpp"

namespace slipway::image {
namespace {

using formats::TarType;

constexpr int kMaxLinks = 40;

bool is_whiteout(const Node& node) {
  return node.type == TarType::char_device && node.device_major == 0 && node.device_minor == 0;
}

bool is_opaque(const std::string& real) {
  char value[2] = {};
  return ::lgetxattr(real.c_str(), os::overlay_opaque_xattr(), value, sizeof value) >= 1 &&
         value[0] == 'y';
}

std::string read_link(const std::string& real, std::uint64_t size) {
  std::string target(std::max<std::uint64_t>(size, 255) + 1, '\0');
  while (true) {
    ssize_t got = ::readlink(real.c_str(), target.data(), target.size());
    if (got < 0) os::throw_errno("readlink '" + real + "'");
    if (static_cast<std::size_t>(got) < target.size()) {
      target.resize(static_cast<std::size_t>(got));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

class DirectoryStream final {
 public:
  explicit DirectoryStream(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) os::throw_errno("open '" + path + "'");
    stream_ = ::fdopendir(fd);
    if (!stream_) {
      ::close(fd);
      os::throw_errno("read '" + path + "'");
    }
  }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;
  ~DirectoryStream() { ::closedir(stream_); }
  [[nodiscard]] int fd() const { return ::dirfd(stream_); }
  const char* next() {
    while (const dirent* entry = ::readdir(
               stream_)) {  // NOLINT(concurrency-mt-unsafe): the stream is this object's own
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") return entry->d_name;
    }
    return nullptr;
  }

 private:
  DIR* stream_;
};

}  // namespace

std::optional<Node> node_of(const struct stat& status, std::string real) {
  Node node{.mode = status.st_mode & 07777,
            .uid = status.st_uid,
            .gid = status.st_gid,
            .mtime = status.st_mtim.tv_sec,
            .mtime_ns = static_cast<std::uint32_t>(status.st_mtim.tv_nsec),
            .ctime_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec,
            .device = status.st_dev,
            .inode = status.st_ino,
            .links = static_cast<std::uint32_t>(status.st_nlink),
            .real = std::move(real)};
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      node.size = static_cast<std::uint64_t>(status.st_size);
      break;
    case S_IFDIR:
      node.type = TarType::directory;
      break;
    case S_IFLNK:
      node.type = TarType::symlink;
      node.link_target = read_link(node.real, static_cast<std::uint64_t>(status.st_size));
      break;
    case S_IFCHR:
    case S_IFBLK:
      node.type = S_ISCHR(status.st_mode) ? TarType::char_device : TarType::block_device;
      node.device_major = major(status.st_rdev);
      node.device_minor = minor(status.st_rdev);
      break;
    case S_IFIFO:
      node.type = TarType::fifo;
      break;
    default:
      return std::nullopt;  // sockets
  }
  return node;
}

namespace {

using Children = std::map<std::string, Node, std::less<>>;

// Adds what the layer has directly below `path` and nothing above it hides.
void add_from_entries(const std::string& path, Children& children, const Entries& entries) {
  std::string prefix = path.empty() ? "" : path + "/";
  auto at = entries.lower_bound(prefix);
  while (at != entries.end() && at->first.starts_with(prefix)) {
    auto slash = at->first.find('/', prefix.size());
    std::string name =
        at->first.substr(prefix.size(), slash == std::string::npos ? slash : slash - prefix.size());
    if (slash == std::string::npos) {
      children.emplace(name, at->second);
      ++at;
    } else {
      at = entries.lower_bound(prefix + name +
                               '0');  // '0' follows '/': behind all that is below `name`
    }
  }
}

}  // namespace

// Which directories of which layers make up a directory, and what is in it once it was asked for.
struct Tree::Directory {
  std::vector<TreeLayer>
      parts;  // top-most first; a path is the directory's own, entries are the whole layer's
  IgnoreMatcher::Parent ignore;
  bool is_ignored = false;  // only there for the exceptions below it
  bool is_filled = false;
  bool is_read_ahead = false;  // so is all below it
  Children children;
};

Tree::Tree(std::vector<TreeLayer> layers, const IgnoreMatcher* ignore)
    : layers_(std::move(layers)), ignore_(ignore) {
  auto root = std::make_unique<Directory>();
  root->parts = layers_;
  directories_.emplace("", std::move(root));
}
Tree::~Tree() = default;

void Tree::fill_from_disk(const std::string& path, Directory& directory,
                          const std::string& real) const {
  DirectoryStream stream(real);
  while (const char* name = stream.next()) {
    if (directory.parts.size() > 1 && directory.children.contains(name)) continue;
    struct stat status {};
    if (::fstatat(stream.fd(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // went away meanwhile
      os::throw_errno(fmt::format("stat '{}/{}'", real, name));
    }
    if (ignore_ && ignore_->has_patterns()) {
      auto verdict = ignore_->verdict(joined(path, name), directory.ignore);
      if (verdict.is_ignored && (!S_ISDIR(status.st_mode) || verdict.prune)) continue;
    }
    if (auto node = node_of(status, real + "/" + name))
      directory.children.emplace(name, std::move(*node));
  }
}

void Tree::fill(const std::string& path, Directory& directory) const {
  if (directory.is_filled) return;
  directory.is_filled = true;
  for (const auto& part : directory.parts) {
    if (const auto* real = std::get_if<std::filesystem::path>(&part)) {
      fill_from_disk(path, directory, real->string());
    } else {
      add_from_entries(path, directory.children, *std::get<std::shared_ptr<const Entries>>(part));
    }
  }
  if (layers_.size() > 1 || !ignore_) {  // whiteouts have hidden what is below them by now
    std::erase_if(directory.children, [](const auto& child) { return is_whiteout(child.second); });
  }
}

// The directory at a path without links; nullptr when it is none.
Tree::Directory* Tree::directory(const std::string& path) {
  if (auto known = directories_.find(path); known != directories_.end()) return known->second.get();
  auto slash = path.rfind('/');
  std::string parent_path = slash == std::string::npos ? "" : path.substr(0, slash);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  Directory* parent = directory(parent_path);
  if (!parent) return nullptr;
  fill(parent_path, *parent);
  auto child = parent->children.find(name);
  if (child == parent->children.end() || !child->second.is_directory()) return nullptr;
  return directories_.emplace(path, make_directory(*parent, path, name)).first->second.get();
}

// The directory `name` of `parent`, which its children know to be one; nothing of it is read yet.
std::unique_ptr<Tree::Directory> Tree::make_directory(const Directory& parent,
                                                      const std::string& path,
                                                      const std::string& name) const {
  auto made = std::make_unique<Directory>();
  for (const auto& part : parent.parts) {
    if (const auto* above = std::get_if<std::filesystem::path>(&part)) {
      std::string real = above->string() + "/" + name;
      struct stat status {};
      if (::lstat(real.c_str(), &status) != 0) continue;
      if (!S_ISDIR(status.st_mode)) break;
      made->parts.emplace_back(std::filesystem::path(real));
      if (parent.parts.size() > 1 && is_opaque(real)) break;
    } else {
      const auto& entries = std::get<std::shared_ptr<const Entries>>(part);
      auto entry = entries->find(path);
      if (entry == entries->end()) continue;
      if (!entry->second.is_directory()) break;
      made->parts.emplace_back(entries);
    }
  }
  if (ignore_ && ignore_->has_patterns()) {
    auto verdict = ignore_->verdict(path, parent.ignore);
    made->ignore = std::move(verdict.as_parent);
    made->is_ignored = verdict.is_ignored;
  }
  return made;
}

// Reads a tree of directories with several threads, each with directories of its own; whoever has none gets half of another's.
class Tree::ReadAhead final {
 public:
  explicit ReadAhead(const Tree& tree) : tree_(tree) {}

  /// What was found, to become part of the tree; `top` is filled.
  std::vector<std::pair<std::string, std::unique_ptr<Directory>>> run(const std::string& path,
                                                                      Directory& top) {
    std::vector<Work> todo{{path, &top}};
    Found found;
    for (std::size_t i = 0; i < todo.size() && todo.size() - i < kAlone; ++i)
      read(Work(todo[i]), todo, found);
    // Those that were read above, and `top` may be known already, are at the front.
    std::erase_if(todo, [](const Work& work) { return work.directory->is_filled; });
    if (todo.empty()) return found;
    unsigned count = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    std::vector<Found> by_thread(count);
    queue_.with([&](Queue& queue) {
      queue.todo = std::move(todo);
      queue.busy = count;
    });
    TaskGroup group{std::stop_token{}};
    for (auto& own : by_thread) group.start([&](const std::stop_token& stop) { work(own, stop); });
    group.join();
    for (auto& own : by_thread) std::move(own.begin(), own.end(), std::back_inserter(found));
    return found;
  }

 private:
  static constexpr std::size_t kAlone =
      16;  // directories that one thread reads before others start
  using Found = std::vector<std::pair<std::string, std::unique_ptr<Directory>>>;
  struct Work {
    std::string path;
    Directory* directory;
  };
  struct Queue {
    std::vector<Work> todo;
    unsigned busy = 0;  // threads that may still add to it
  };

  void read(const Work& work, std::vector<Work>& todo, Found& found) const {
    tree_.fill(work.path, *work.directory);
    for (const auto& [name, node] : work.directory->children) {
      if (!node.is_directory()) continue;
      std::string path = joined(work.path, name);
      auto& made = found.emplace_back(path, tree_.make_directory(*work.directory, path, name));
      todo.push_back({std::move(path), made.second.get()});
    }
  }

  void work(Found& found, const std::stop_token& stop) {
    std::vector<Work> own;
    while (true) {
      if (own.empty() && !take(own, stop)) return;
      Work next = std::move(own.back());
      own.pop_back();
      read(next, own, found);
      if (own.size() > 1 && hungry_ > 0) give_half(own);
    }
  }

  bool take(std::vector<Work>& own, const std::stop_token& stop) {
    ++hungry_;
    bool has_more = false;
    queue_.with([](Queue& queue) { --queue.busy; });
    bool met = queue_.wait(
        stop, Deadline::never(),
        [](const Queue& queue) { return !queue.todo.empty() || queue.busy == 0; },
        [&](Queue& queue) {
          has_more = !queue.todo.empty();
          if (!has_more) return;
          auto half = queue.todo.begin() + static_cast<std::ptrdiff_t>(queue.todo.size() / 2);
          std::move(half, queue.todo.end(), std::back_inserter(own));
          queue.todo.erase(half, queue.todo.end());
          ++queue.busy;
        });
    --hungry_;
    return met && has_more;
  }

  void give_half(std::vector<Work>& own) {
    auto half = own.begin() + static_cast<std::ptrdiff_t>(own.size() / 2);
    queue_.with(
        [&](Queue& queue) { std::move(own.begin(), half, std::back_inserter(queue.todo)); });
    own.erase(own.begin(), half);
  }

  const Tree& tree_;
  std::atomic<int> hungry_{0};  // threads that wait for work
  Guarded<Queue> queue_;
};

void Tree::read_ahead(const std::string& path) {
  std::lock_guard lock(mutex_);
  Directory* top = directory(path);
  if (!top || top->is_read_ahead) return;
  for (auto slash = path.rfind('/'); slash != std::string::npos;
       slash = slash == 0 ? std::string::npos : path.rfind('/', slash - 1)) {
    if (auto above = directories_.find(path.substr(0, slash));
        above != directories_.end() && above->second->is_read_ahead)
      return;
  }
  if (directories_.at("")->is_read_ahead) return;
  top->is_read_ahead = true;
  for (auto& [below, made] : ReadAhead(*this).run(path, *top))
    directories_.try_emplace(below, std::move(made));
}

// Follows a path component by component. `rest`: when given and something does not exist, gets the resolved beginning plus the remaining parts.
std::optional<Tree::Found> Tree::walk(std::string_view path, bool follow, std::string* rest) {
  std::vector<std::string> todo;  // in reverse
  auto push = [&todo](std::string_view text) {
    auto parts = split(text, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") todo.push_back(std::move(*part));
    }
  };
  push(path);
  std::string at;
  Node node{.type = TarType::directory, .mode = 0755};
  if (!layers_.empty()) {
    for (const auto& layer : layers_) {
      const auto* real = std::get_if<std::filesystem::path>(&layer);
      struct stat status {};
      if (real && ::lstat(real->c_str(), &status) == 0) {
        node = *node_of(status, real->string());
        break;
      }
    }
  }
  int links = 0;
  while (!todo.empty()) {
    std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      auto slash = at.rfind('/');
      at = slash == std::string::npos ? "" : at.substr(0, slash);
      node = Node{.type = TarType::directory, .mode = 0755};
      continue;
    }
    Directory* parent = directory(at);
    const Node* child = nullptr;
    if (parent) {
      fill(at, *parent);
      auto found = parent->children.find(name);
      if (found != parent->children.end()) child = &found->second;
    }
    if (!child) {
      if (rest) {
        *rest = joined(at, name);
        for (auto part = todo.rbegin(); part != todo.rend(); ++part) *rest = joined(*rest, *part);
        *rest = clean_path("/" + *rest).substr(1);
      }
      return std::nullopt;
    }
    bool is_last = todo.empty();
    if (child->is_symlink() && (!is_last || follow)) {
      if (++links > kMaxLinks)
        fail(Fault::bad_input, "too many levels of symbolic links in '{}'", path);
      if (child->link_target.starts_with('/')) at.clear();
      push(child->link_target);
      node = Node{.type = TarType::directory, .mode = 0755};
      continue;
    }
    node = *child;
    at = joined(at, name);
  }
  if (node.is_directory() && node.real.empty() &&
      !at.empty()) {  // came here by ".." or a link: look again
    auto slash = at.rfind('/');
    if (Directory* parent = directory(slash == std::string::npos ? "" : at.substr(0, slash))) {
      auto found = parent->children.find(slash == std::string::npos ? at : at.substr(slash + 1));
      if (found != parent->children.end()) node = found->second;
    }
  }
  return Found{std::move(at), std::move(node)};
}

std::optional<Tree::Found> Tree::lookup(std::string_view path, bool follow) {
  std::lock_guard lock(mutex_);
  return walk(path, follow, nullptr);
}

std::string Tree::resolve(std::string_view path) {
  std::lock_guard lock(mutex_);
  std::string rest;
  auto found = walk(path, true, &rest);
  return found ? found->path : rest;
}

bool Tree::leaves_out(std::string_view path) const {
  return ignore_ && ignore_->has_patterns() && ignore_->is_ignored(path);
}

bool Tree::shows(const std::string& path) {
  Directory* found = directory(path);
  if (!found || !found->is_ignored) return found != nullptr;
  fill(path, *found);
  for (const auto& [name, node] : found->children) {
    if (!node.is_directory() || shows(joined(path, name))) return true;
  }
  return false;
}

std::vector<const Tree::Child*> Tree::list(const std::string& path) {
  std::lock_guard lock(mutex_);
  Directory* found = directory(path);
  if (!found) return {};
  fill(path, *found);
  std::vector<const Child*> out;
  out.reserve(found->children.size());
  for (const auto& child : found->children) {
    if (ignore_ && ignore_->has_patterns() && child.second.is_directory()) {
      // An ignored directory shows only when something below it is excepted.
      if (!shows(joined(path, child.first))) continue;
    }
    out.push_back(&child);
  }
  return out;
}

Entries Tree::entries_below(const std::string& path, bool with_xattrs) {
  Entries out;
  read_ahead(path);
  std::vector<std::pair<std::string, std::string>> todo{{path, ""}};
  while (!todo.empty()) {
    auto [at, prefix] = std::move(todo.back());
    todo.pop_back();
    for (const auto* child : list(at)) {
      const auto& [name, node] = *child;
      std::string relative = joined(prefix, name);
      if (node.is_directory()) todo.emplace_back(joined(at, name), relative);
      auto& entry = out.emplace(relative, node).first->second;
      if (with_xattrs && !node.is_symlink() && !node.real.empty())
        entry.xattrs = read_xattrs(node.real);
    }
  }
  return out;
}

std::optional<std::string> Tree::read(std::string_view path, std::size_t most_bytes) {
  auto found = lookup(path, true);
  if (!found || !found->node.is_file() || found->node.size > most_bytes) return std::nullopt;
  if (found->node.content) return *found->node.content;
  auto fd = os::open_file(found->node.real, O_RDONLY | O_NOFOLLOW);
  return os::read_all(fd.get());
}

std::map<std::string, std::string> read_xattrs(const std::string& real) {
  std::map<std::string, std::string> out;
  ssize_t size = ::llistxattr(real.c_str(), nullptr, 0);
  if (size <= 0) return out;
  std::string names(static_cast<std::size_t>(size), '\0');
  size = ::llistxattr(real.c_str(), names.data(), names.size());
  if (size <= 0) return out;
  names.resize(static_cast<std::size_t>(size));
  for (const auto& name : split(names, '\0')) {
    bool belongs = (name.starts_with("user.") && !name.starts_with("user.overlay.")) ||
                   name == "security.capability";
    if (name.empty() || !belongs) continue;
    ssize_t length = ::lgetxattr(real.c_str(), name.c_str(), nullptr, 0);
    if (length < 0) continue;
    std::string value(static_cast<std::size_t>(length), '\0');
    length = ::lgetxattr(real.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0) continue;
    value.resize(static_cast<std::size_t>(length));
    out.emplace(name, std::move(value));
  }
  return out;
}

}  // namespace slipway::image
