// SPDX-License-Identifier: Apache-2.0
#include "workflow/scratch.hpp"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kLeast = 6 * kGiB;  // available; half of it is what a usual job stays below
constexpr std::uint64_t kLeastFree = std::uint64_t{1} << 20;

// A line "MemAvailable:   20971520 kB" of /proc/meminfo.
std::uint64_t available_memory() {
  auto text = os::read_file_if_exists("/proc/meminfo").value_or("");
  for (auto line : lines_of(text)) {
    if (!line.starts_with("MemAvailable:")) continue;
    auto words = split(line, ' ');
    std::erase(words, "");
    if (words.size() > 1)
      return static_cast<std::uint64_t>(to_integer(words[1]).value_or(0)) * 1024;
  }
  return 0;
}

// What the control group that we run in leaves us; the files of cgroup2 and of version 1 as a container sees them.
std::uint64_t cgroup_memory() {
  constexpr std::pair<const char*, const char*> kFiles[] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
       "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, usage_file] : kFiles) {
    auto limit = to_integer(trim(os::read_file_if_exists(limit_file).value_or("")));
    auto usage = to_integer(trim(os::read_file_if_exists(usage_file).value_or("")));
    if (limit && usage) return *limit > *usage ? static_cast<std::uint64_t>(*limit - *usage) : 0;
  }
  return ~std::uint64_t{0};
}

bool is_memory(const fs::path& directory) {
  struct statfs about {};
  return ::statfs(directory.c_str(), &about) == 0 && about.f_type == TMPFS_MAGIC;
}

// What the scratch spaces of other runs of this state directory may still take.
std::uint64_t promised_memory(const fs::path& runs) {
  std::uint64_t bytes = 0;
  for (const auto& mount : os::mounts_below(runs)) {
    struct statvfs about {};
    if (mount.filename() != "jobs" || !is_memory(mount) || ::statvfs(mount.c_str(), &about) != 0)
      continue;
    bytes += std::uint64_t{about.f_bavail} * about.f_frsize;
  }
  return bytes;
}

}  // namespace

ScratchKind parse_scratch(const std::string& text) {
  if (text.empty() || text == "auto") return ScratchKind::automatic;
  if (text == "memory") return ScratchKind::memory;
  if (text == "disk") return ScratchKind::disk;
  fail(Fault::bad_input, "--scratch is auto, memory or disk, not '{}'", text);
}

std::optional<std::uint64_t> memory_for_scratch(std::uint64_t available, std::uint64_t promised) {
  auto left = available > promised ? available - promised : 0;
  if (left < kLeast) return std::nullopt;
  return left / 2;
}

ScratchSpace::ScratchSpace(fs::path directory, ScratchKind kind)
    : directory_(std::move(directory)) {
  os::make_dirs(directory_);
  if (kind == ScratchKind::disk || (kind == ScratchKind::automatic && ::geteuid() != 0)) return;
  auto available = std::min(available_memory(), cgroup_memory());
  auto bytes =
      memory_for_scratch(available, promised_memory(directory_.parent_path().parent_path()));
  if (!bytes && kind == ScratchKind::memory) bytes = available / 2;
  if (!bytes) return;
  try {
    os::mount_tmpfs(directory_, fmt::format("size={},mode=755", *bytes));
    in_memory_ = true;
  } catch (const Error&) {
    if (kind == ScratchKind::memory) throw;  // else the disk does
  }
}

ScratchSpace::~ScratchSpace() {
  try {
    discard_scratch(directory_);
  } catch (const Error&) {
    // The next command's sweep tries again.
  }
}

std::string scratch_complaint(const fs::path& directory) {
  struct statvfs about {};
  if (!is_memory(directory) || ::statvfs(directory.c_str(), &about) != 0) return "";
  if (std::uint64_t{about.f_bavail} * about.f_frsize >= kLeastFree) return "";
  return fmt::format(
      "The jobs' scratch space, which is in memory, is full ({:.1f} GiB). Give them the disk: "
      "--scratch disk",
      static_cast<double>(std::uint64_t{about.f_blocks} * about.f_frsize) /
          static_cast<double>(kGiB));
}

void discard_scratch(const fs::path& directory) {
  for (const auto& mount : os::mounts_below(directory)) {
    // A process that outlives us may have a copy of the mount in its own namespace: what is in it must not stay in memory.
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(mount, none)) os::remove_tree(entry.path());
    os::unmount(mount);
  }
  os::remove_tree(directory);
}

}  // namespace slipway::workflow
