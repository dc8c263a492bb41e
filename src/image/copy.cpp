// SPDX-License-Identifier: Apache-2.0
#include "image/copy.hpp"

#include <unordered_set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "image/dockerignore.hpp"

namespace slipway::image {
namespace {

using formats::TarType;

struct Owner {
  std::uint32_t uid;
  std::uint32_t gid;
};

// Puts files into a new layer and checks that they fit to what is there already.
class LayerMaker {
 public:
  ///   mode      of the directories that it makes
  ///   replaces  a directory may take a file's place, and the other way round
  LayerMaker(Tree& root, std::optional<Owner> owner, std::int64_t now, std::uint32_t mode = 0755,
             bool replaces = false)
      : root_(root), owner_(owner), now_(now), mode_(mode), replaces_(replaces) {}

  // What the path is, in the new layer or below it; links are not followed.
  std::optional<Node> node_at(const std::string& path) {
    if (path.empty()) return Node{.type = TarType::directory, .mode = 0755};
    if (auto made = entries_.find(path); made != entries_.end()) return made->second;
    auto found = root_.lookup(path, false);
    if (!found || found->path != path) return std::nullopt;
    return found->node;
  }

  // Directories down to `path`: those that exist as they are.
  void make_directories(const std::string& path) {
    if (path.empty()) return;
    if (auto made = entries_.find(path); made != entries_.end()) {
      if (!made->second.is_directory())
        fail(Fault::bad_input, "cannot copy to non-directory: /{}", path);
      return;
    }
    auto slash = path.rfind('/');
    make_directories(slash == std::string::npos ? "" : path.substr(0, slash));
    auto below = root_.lookup(path, false);
    if (below && !below->node.is_directory())
      fail(Fault::bad_input, "cannot copy to non-directory: /{}", path);
    if (below) {
      Node node = below->node;
      if (!node.real.empty()) node.xattrs = read_xattrs(node.real);
      entries_.emplace(path, std::move(node));
      return;
    }
    entries_.emplace(path, Node{.type = TarType::directory,
                                .mode = mode_,
                                .uid = owner_ ? owner_->uid : 0,
                                .gid = owner_ ? owner_->gid : 0,
                                .mtime = now_});
    new_directories_.insert(path);
  }

  void put(const std::string& path, Node node) {
    auto slash = path.rfind('/');
    std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
    make_directories(parent);
    // Below a directory that this layer makes there is nothing but what this layer has: most files of a large copy.
    if (new_directories_.contains(parent)) {
      bool is_directory = node.is_directory();
      auto [made, is_new] = entries_.try_emplace(path, std::move(node));
      if (is_new) {
        if (is_directory) new_directories_.insert(path);
        return;
      }
      check_kind(path, made->second.is_directory(), is_directory);
      made->second = std::move(node);  // not taken by try_emplace()
      return;
    }
    auto there = node_at(path);
    if (there) check_kind(path, there->is_directory(), node.is_directory());
    if (!(there && there->is_directory()) && node.is_directory()) new_directories_.insert(path);
    entries_.insert_or_assign(path, std::move(node));
  }

  Entries take() { return std::move(entries_); }

 private:
  void check_kind(const std::string& path, bool was_directory, bool is_directory) const {
    if (replaces_) return;
    if (was_directory && !is_directory)
      fail(Fault::bad_input, "cannot replace to directory /{} with file", path);
    if (!was_directory && is_directory)
      fail(Fault::bad_input, "cannot copy to non-directory: /{}", path);
  }

  Tree& root_;
  std::optional<Owner> owner_;
  std::int64_t now_;
  std::uint32_t mode_;
  bool replaces_;
  Entries entries_;
  std::unordered_set<std::string> new_directories_;  // of entries_: not there below this layer
};

class Copier {
 public:
  Copier(const CopyOp& copy, const CopyWorld& world)
      : copy_(copy),
        world_(world),
        owner_(owner(copy, world)),
        mode_(copy.chmod ? ModeChange::read(*copy.chmod) : std::nullopt),
        layer_(world.root, owner_, world.now, directory_mode(mode_), world.replaces) {}

  Entries run(const std::vector<Selected>& selected) {
    bool into_directory = copy_.dest.ends_with('/');
    dest_ = world_.root.resolve(copy_.dest);
    for (const auto& one : selected) add(one, into_directory);
    for (const auto& file : copy_.files) {
      Node node{.mode = file.mode,
                .mtime = world_.now,
                .content = std::make_shared<std::string>(file.content)};
      node.size = file.content.size();
      put(place_of(file.name, into_directory), node);
    }
    return layer_.take();
  }

 private:
  static std::optional<Owner> owner(const CopyOp& copy, const CopyWorld& world) {
    if (!copy.chown) return std::nullopt;
    auto [uid, gid] = resolve_owner(*copy.chown, world.root);
    return Owner{uid, gid};
  }

  // An octal --chmod is also of the directories on the way, as BuildKit has it since 0.21; a symbolic one changes what there is.
  static std::uint32_t directory_mode(const std::optional<ModeChange>& mode) {
    return mode && mode->is_octal() ? mode->apply(0, true) & 0777 : 0755;
  }

  // A file goes into the destination when that is a directory, or is written as one.
  std::string place_of(const std::string& name, bool into_directory) {
    auto there = layer_.node_at(dest_);
    return into_directory || (there && there->is_directory()) ? joined(dest_, name) : dest_;
  }

  void add(const Selected& one, bool into_directory) {
    if (!one.node.is_directory()) {
      put(place_of(one.name, into_directory), one.node);
      return;
    }
    layer_.make_directories(dest_);
    for (const auto& [path, node] : one.below) put(joined(dest_, path), *node);
  }

  void put(const std::string& path, Node node) {
    if (!world_.keep_owner) node.uid = node.gid = 0;
    if (owner_) {
      node.uid = owner_->uid;
      node.gid = owner_->gid;
    }
    if (mode_ && !node.is_symlink()) node.mode = mode_->apply(node.mode, node.is_directory());
    if (world_.keep_owner && !node.real.empty() && !node.is_symlink() && node.xattrs.empty())
      node.xattrs = read_xattrs(node.real);
    layer_.put(path, std::move(node));
  }

  const CopyOp& copy_;
  const CopyWorld& world_;
  std::optional<Owner> owner_;
  std::optional<ModeChange> mode_;
  LayerMaker layer_;
  std::string dest_;
};

// The fields of the passwd or group line that starts with `name`.
std::vector<std::string> account_line(std::string_view text, std::string_view name) {
  for (auto line : lines_of(text)) {
    auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return fields;
  }
  return {};
}

std::optional<std::uint32_t> id_of(std::string_view text) {
  auto number = to_integer(text);
  if (!number || *number < 0 || *number > 0xFFFFFFFFLL) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

}  // namespace

std::pair<std::uint32_t, std::uint32_t> resolve_owner(std::string_view who, Tree& root) {
  auto colon = who.find(':');
  std::string_view user = who.substr(0, colon);
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  if (auto number = id_of(user)) {
    uid = gid = *number;
  } else if (!user.empty()) {
    auto fields = account_line(root.read("/etc/passwd").value_or(""), user);
    auto found = fields.size() < 4 ? std::nullopt : id_of(fields[2]);
    if (!found)
      fail(Fault::bad_input, "invalid user: there is no user '{}' in the image's /etc/passwd",
           user);
    uid = *found;
    gid = id_of(fields[3]).value_or(0);
  }
  if (colon == std::string_view::npos || colon + 1 == who.size()) return {uid, gid};
  std::string_view group = who.substr(colon + 1);
  if (auto number = id_of(group)) return {uid, *number};
  auto fields = account_line(root.read("/etc/group").value_or(""), group);
  auto found = fields.empty() ? std::nullopt : id_of(fields[2]);
  if (!found)
    fail(Fault::bad_input, "invalid group: there is no group '{}' in the image's /etc/group",
         group);
  return {uid, *found};
}

Entries copy_entries(const CopyOp& copy, const std::vector<Selected>& selected,
                     const CopyWorld& world) {
  return Copier(copy, world).run(selected);
}

Entries mkdir_entries(const MkdirOp& make, Tree& root, std::int64_t now) {
  std::string path = root.resolve(make.path);
  auto there = root.lookup(path, false);
  if (there && there->node.is_directory()) return {};
  std::optional<Owner> owner;
  if (!make.user.empty()) {
    auto [uid, gid] = resolve_owner(make.user, root);
    owner = Owner{uid, gid};
  }
  if (there) fail(Fault::bad_input, "/{} is a file: it cannot be the working directory", path);
  LayerMaker layer(root, owner, now);
  layer.make_directories(path);
  return layer.take();
}

}  // namespace slipway::image
