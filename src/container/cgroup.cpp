// SPDX-License-Identifier: Apache-2.0
#include "container/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/user_namespace.hpp"

namespace slipway::container {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> text_of(const fs::path& file) {
  try {
    return os::read_file_if_exists(file);
  } catch (const std::exception&) {  // a kernel without this controller's file says EOPNOTSUPP
    return std::nullopt;
  }
}

std::optional<std::uint64_t> number_of(const fs::path& file) {
  auto text = text_of(file);
  auto number = text ? to_integer(trim(*text)) : std::nullopt;
  return number && *number >= 0 ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

// The number after `key` in a file of "key value" lines.
std::optional<std::uint64_t> keyed_number(const fs::path& file, std::string_view key) {
  auto text = text_of(file);
  if (!text) return std::nullopt;
  for (auto line : lines_of(*text)) {
    auto space = line.find(' ');
    if (space == std::string_view::npos || line.substr(0, space) != key) continue;
    if (auto number = to_integer(trim(line.substr(space))))
      return static_cast<std::uint64_t>(*number);
  }
  return std::nullopt;
}

// The directories of a cgroup path, one a hierarchy; cgroup2's own layout has one.
std::vector<fs::path> hierarchies(const fs::path& root) {
  if (fs::exists(root / "cgroup.controllers")) return {root};
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) out.push_back(entry.path());
  }
  return out;
}

void remove_below(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) remove_below(entry.path());
  }
  ::rmdir(directory.c_str());  // a cgroup's files go with it
}

}  // namespace

CgroupLayout cgroup_layout(const fs::path& root) {
  std::error_code error;
  if (os::is_in_user_namespace() && root == "/sys/fs/cgroup")
    return CgroupLayout::none;  // they are the machine's root's
  if (fs::exists(root / "cgroup.controllers", error)) return CgroupLayout::v2;
  bool has_v1 = fs::exists(root / "memory", error) || fs::exists(root / "devices", error) ||
                fs::exists(root / "cpu", error);
  if (!has_v1) return CgroupLayout::none;
  auto controllers = text_of(root / "unified" / "cgroup.controllers");
  if (!controllers) return CgroupLayout::v1;
  return trim(*controllers).empty() ? CgroupLayout::hybrid : CgroupLayout::mixed;
}

Usage usage(const std::string& path, const fs::path& root) {
  std::string relative = path.starts_with('/') ? path.substr(1) : path;
  Usage out;
  if (fs::exists(root / "cgroup.controllers")) {
    fs::path own = root / relative;
    out.memory_bytes = number_of(own / "memory.current");
    if (auto used = keyed_number(own / "cpu.stat", "usage_usec"))
      out.cpu_nanoseconds = *used * 1000;
    out.pids = number_of(own / "pids.current");
    out.out_of_memory_kills = keyed_number(own / "memory.events", "oom_kill").value_or(0);
    return out;
  }
  out.memory_bytes = number_of(root / "memory" / relative / "memory.usage_in_bytes");
  out.cpu_nanoseconds = number_of(root / "cpuacct" / relative / "cpuacct.usage");
  if (!out.cpu_nanoseconds)
    out.cpu_nanoseconds = number_of(root / "cpu,cpuacct" / relative / "cpuacct.usage");
  out.pids = number_of(root / "pids" / relative / "pids.current");
  out.out_of_memory_kills =
      keyed_number(root / "memory" / relative / "memory.oom_control", "oom_kill").value_or(0);
  return out;
}

std::string cgroup_path(const std::string& short_id, const std::string& container) {
  return fmt::format("/slipway/{}/{}", short_id, container);
}

void confine_devices(const std::string& short_id, const fs::path& root) {
  if (os::is_in_user_namespace() || !fs::exists(root / "devices/devices.allow")) return;
  fs::path own = root / "devices/slipway" / short_id;
  os::make_dirs(own.parent_path());
  if (::mkdir(own.c_str(), 0755) != 0) {
    if (errno == EEXIST) return;
    os::throw_errno(fmt::format("making the cgroup '{}'", own.string()));
  }
  auto put = [&](const char* file, std::string_view rule) {
    os::Fd fd = os::open_file((own / file).string(), O_WRONLY);
    os::write_all(fd.get(), rule);
  };
  put("devices.deny", "a");
  // Nodes may be made; opened may be what Docker lets every container open.
  for (const char* rule :
       {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
        "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm"}) {
    put("devices.allow", rule);
  }
}

void join_confined(const std::string& short_id, const fs::path& root) {
  fs::path own = root / "devices/slipway" / short_id;
  if (os::is_in_user_namespace() || !fs::exists(own / "tasks")) return;
  os::Fd tasks = os::open_file((own / "tasks").string(), O_WRONLY);
  os::write_all(tasks.get(), fmt::format("{}", ::gettid()));
}

void remove_cgroup(const std::string& path, const fs::path& root) {
  std::string relative = path.starts_with('/') ? path.substr(1) : path;
  for (const auto& hierarchy : hierarchies(root)) remove_below(hierarchy / relative);
}

}  // namespace slipway::container
