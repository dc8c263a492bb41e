// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_checks.hpp"

#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/cgroup.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

std::optional<std::string> postgres_program() {
  if (auto found = os::find_program("postgres")) return found;
  std::error_code error;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
    if (auto found = os::find_program((version.path() / "bin/postgres").string())) return found;
  }
  return std::nullopt;
}

Check program(const std::string& name, const std::string& what_for, const std::string& package,
              bool is_needed = true) {
  auto found = name == "postgres" ? postgres_program() : os::find_program(name);
  return {name, found.has_value(), is_needed,
          found ? *found : fmt::format("no {} on this machine: {}", name, what_for),
          found ? "" : "apt-get install " + package};
}

Check root() {
  bool ok = ::geteuid() == 0;
  return {"root", ok, true, ok ? "running as root" : "containers and networks need root",
          ok ? "" : "sudo slipway …"};
}

Check overlay() {
  bool ok = os::read_file_if_exists("/proc/filesystems").value_or("").find("overlay") !=
            std::string::npos;
  return {"overlayfs", ok, true, ok ? "in the kernel" : "the kernel has no overlayfs",
          ok ? "" : "modprobe overlay"};
}

Check cgroups() {
  auto layout = container::cgroup_layout();
  bool ok = layout != container::CgroupLayout::none;
  std::string name = layout == container::CgroupLayout::v2   ? "v2"
                     : layout == container::CgroupLayout::v1 ? "v1"
                                                             : "v1 and v2 mixed";
  return {"cgroups", ok, true, ok ? name : "cgroups are not mounted: limits could not be kept",
          ok ? "" : "mount -t cgroup2 none /sys/fs/cgroup"};
}

}  // namespace

std::vector<Check> check_machine() {
  return {root(),
          program("crun", "it runs the containers", "crun"),
          overlay(),
          cgroups(),
          program("haproxy", "it balances the load", "haproxy"),
          program("postgres", "the local RDS runs it", "postgresql"),
          program("ip", "it makes the networks", "iproute2"),
          program("nft", "it masquerades the networks", "nftables"),
          program("git", "commits are read through it", "git"),
          program("node", "JavaScript actions run under it", "nodejs", false),
          program("shellcheck", "lint checks run steps with it", "shellcheck", false)};
}

void require_machine() {
  std::string text;
  for (const auto& check : check_machine()) {
    if (check.ok || !check.is_needed) continue;
    text += fmt::format("{}{}: {}{}", text.empty() ? "" : "\n", check.name, check.sentence,
                        check.command.empty() ? "" : " – " + check.command);
  }
  if (!text.empty())
    fail(Fault::unavailable, "this machine lacks something (slipway doctor shows all):\n{}", text);
}

}  // namespace slipway::cli
