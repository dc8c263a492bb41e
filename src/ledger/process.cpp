// SPDX-License-Identifier: Apache-2.0
#include "ledger/process.hpp"

#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::ledger {
namespace {

struct Where {
  std::string host;
  std::string boot;
  std::string pids;  // the pid namespace
};

Where here() {
  std::string host(256, '\0');
  if (::gethostname(host.data(), host.size() - 1) != 0) host = "unknown";
  host = host.c_str();
  std::error_code none;
  auto pids = std::filesystem::read_symlink("/proc/self/ns/pid", none).string();
  auto boot = os::read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or("");
  return {replace_all(host, " ", "-"), std::string(trim(boot)), pids};
}

}  // namespace

std::string this_process() {
  Where where = here();
  auto pid = ::getpid();
  return fmt::format("{} {} {} {} {}", where.host, where.boot, where.pids, pid,
                     os::start_ticks(pid).value_or(0));
}

bool has_died(const std::string& process) {
  auto parts = split(process, ' ');
  if (parts.size() != 5) return false;
  Where where = here();
  if (parts[0] != where.host) return false;
  if (parts[1] != where.boot) return true;
  if (parts[2] != where.pids) return false;
  auto pid = to_integer(parts[3]);
  auto ticks = to_integer(parts[4]);
  return pid && ticks &&
         !os::is_alive(static_cast<pid_t>(*pid), static_cast<unsigned long long>(*ticks));
}

}  // namespace slipway::ledger
