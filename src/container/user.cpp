// SPDX-License-Identifier: Apache-2.0
#include "container/user.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/spec.hpp"
#include "os/fd.hpp"

namespace slipway::container {
namespace {

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

// -1 as an id means "leave it": never a user's.
std::optional<std::uint32_t> to_id(std::string_view text) {
  auto number = to_integer(text);
  if (!number || *number < 0 || *number >= 0xFFFFFFFFLL) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> entries;
  for (auto line : lines_of(text)) {
    auto fields = split(line, ':');
    if (fields.size() < 6) continue;
    auto uid = to_id(fields[2]);
    auto gid = to_id(fields[3]);
    if (uid && gid) entries.push_back({fields[0], *uid, *gid, fields[5]});
  }
  return entries;
}

std::vector<GroupEntry> parse_group(std::string_view text) {
  std::vector<GroupEntry> entries;
  for (auto line : lines_of(text)) {
    auto fields = split(line, ':');
    if (fields.size() < 3) continue;
    if (auto gid = to_id(fields[2]))
      entries.push_back({fields[0], *gid,
                         fields.size() > 3 ? split(fields[3], ',') : std::vector<std::string>{}});
  }
  return entries;
}

// A name first, as in Docker: a user may be called "1000".
template <typename Entry>
const Entry* find_entry(const std::vector<Entry>& entries, std::string_view key,
                        std::uint32_t Entry::*id) {
  for (const auto& entry : entries) {
    if (entry.name == key) return &entry;
  }
  auto number = to_id(key);
  for (const auto& entry : entries) {
    if (number && entry.*id == *number) return &entry;
  }
  return nullptr;
}

std::vector<std::uint32_t> groups_of(const std::vector<GroupEntry>& groups,
                                     const std::string& name) {
  std::vector<std::uint32_t> out;
  for (const auto& entry : groups) {
    for (const auto& member : entry.members) {
      if (member == name) out.push_back(entry.gid);
    }
  }
  return out;
}

// The file below `root`, links resolved inside it; nothing when it is not there. `hidden`: a whiteout stands in its place.
std::optional<std::string> read_below(const std::filesystem::path& root, const std::string& path,
                                      bool& hidden) {
  os::Fd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return std::nullopt;
  open_how how{
      .flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  os::Fd found(
      static_cast<int>(::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how)));
  if (!found.is_open()) return std::nullopt;
  struct stat info {};
  if (::fstat(found.get(), &info) != 0) return std::nullopt;
  hidden = S_ISCHR(info.st_mode) && info.st_rdev == 0;
  if (!S_ISREG(info.st_mode)) return std::nullopt;
  os::Fd file(::open(fmt::format("/proc/self/fd/{}", found.get()).c_str(), O_RDONLY | O_CLOEXEC));
  return file.is_open() ? std::optional(os::read_all(file.get())) : std::nullopt;
}

}  // namespace

ResolvedUser resolve_user(std::string_view name, std::string_view passwd, std::string_view group) {
  auto users = parse_passwd(passwd);
  auto groups = parse_group(group);
  auto colon = name.find(':');
  std::string user_part(name.substr(0, colon));
  if (user_part.empty()) user_part = "0";
  ResolvedUser out;
  if (const auto* entry = find_entry(users, user_part, &PasswdEntry::uid)) {
    out.user = {entry->uid, entry->gid, groups_of(groups, entry->name)};
    out.home = entry->home;
  } else if (auto uid = to_id(user_part)) {
    out.user.uid = *uid;
  } else {
    fail(Fault::bad_input, "unable to find user {}: no matching entries in passwd file", user_part);
  }
  if (colon != std::string_view::npos && colon + 1 < name.size()) {
    std::string group_part(name.substr(colon + 1));
    out.user.groups.clear();
    if (const auto* entry = find_entry(groups, group_part, &GroupEntry::gid)) {
      out.user.gid = entry->gid;
    } else if (auto gid = to_id(group_part)) {
      out.user.gid = *gid;
    } else {
      fail(Fault::bad_input, "unable to find group {}: no matching entries in group file",
           group_part);
    }
  }
  if (out.home.empty()) out.home = out.user.uid == 0 ? "/root" : "/";
  return out;
}

ResolvedUser resolve_user(std::string_view name, const Rootfs& rootfs) {
  return resolve_user(name, read_in_rootfs(rootfs, "/etc/passwd"),
                      read_in_rootfs(rootfs, "/etc/group"));
}

std::string read_in_rootfs(const Rootfs& rootfs, const std::string& path) {
  std::vector<std::filesystem::path> layers;
  if (!rootfs.directory.empty()) layers.push_back(rootfs.directory);
  if (!rootfs.upper.empty()) layers.push_back(rootfs.upper);
  layers.insert(layers.end(), rootfs.lower.begin(), rootfs.lower.end());
  std::string relative = path.starts_with('/') ? path.substr(1) : path;
  for (const auto& layer : layers) {
    bool hidden = false;
    if (auto text = read_below(layer, relative, hidden)) return *text;
    if (hidden) break;
  }
  return {};
}

}  // namespace slipway::container
