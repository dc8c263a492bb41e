// SPDX-License-Identifier: Apache-2.0
#include "container/bundle.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.hpp"
#include "container/cgroup.hpp"
#include "container/leftovers.hpp"
#include "container/private_mounts.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "os/user_namespace.hpp"

namespace slipway::container {
namespace {

// Without CAP_SYS_RESOURCE (bit 24) nobody below us can get more than our own hard limits.
bool may_raise_limits() {
  std::string status = os::read_file("/proc/self/status");
  auto at = status.find("CapEff:");
  if (at == std::string::npos) return false;
  auto held =
      std::stoull(std::string(trim(std::string_view(status).substr(at + 7, 20))), nullptr, 16);
  return (held >> 24U & 1U) != 0;
}

std::optional<__rlimit_resource> resource_of(const std::string& name) {
  static const std::map<std::string, __rlimit_resource> kResources = {
      {"core", RLIMIT_CORE},     {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},     {"fsize", RLIMIT_FSIZE},
      {"locks", RLIMIT_LOCKS},   {"memlock", RLIMIT_MEMLOCK},
      {"nofile", RLIMIT_NOFILE}, {"msgqueue", RLIMIT_MSGQUEUE},
      {"nice", RLIMIT_NICE},     {"nproc", RLIMIT_NPROC},
      {"rss", RLIMIT_RSS},       {"rtprio", RLIMIT_RTPRIO},
      {"rttime", RLIMIT_RTTIME}, {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  auto found = kResources.find(name);
  return found == kResources.end() ? std::nullopt : std::optional(found->second);
}

void clamp_ulimits(std::vector<Ulimit>& ulimits) {
  if (ulimits.empty() || may_raise_limits()) return;
  for (auto& limit : ulimits) {
    auto resource = resource_of(limit.name);
    rlimit own{};
    if (!resource || ::getrlimit(*resource, &own) != 0 || own.rlim_max == RLIM_INFINITY) continue;
    limit.hard = std::min<std::uint64_t>(limit.hard, own.rlim_max);
    limit.soft = std::min(limit.soft, limit.hard);
  }
}

// "executable file `x` not found in $PATH: No such file or directory" and their like are the spec's fault, not the machine's.
Fault fault_of(const std::string& message) {
  for (const char* sign : {"not found in $PATH", "no such file or directory",
                           "No such file or directory", "not a directory"}) {
    if (message.find(sign) != std::string::npos) return Fault::not_found;
  }
  for (const char* sign : {"ermission denied", "exec format error", "Exec format error"}) {
    if (message.find(sign) != std::string::npos) return Fault::bad_input;
  }
  return Fault::unavailable;
}

}  // namespace

Places Places::of(const RuntimeOptions& options) {
  Places places;
  places.short_id = slipway::container::short_id(options.state);
  std::filesystem::path run = os::is_in_user_namespace()
                                  ? options.state / "run"
                                  : std::filesystem::path("/run/slipway") / places.short_id;
  places.detached = options.state / "containers";
  places.attached = run / "attached";
  places.root = run / "runtime";
  places.program = options.program;
  places.is_crun = std::filesystem::path(options.program).filename().string().starts_with("crun");
  return places;
}

std::string Places::attached_cgroup(const std::string& id) const {
  return !is_crun || cgroup_layout() == CgroupLayout::v2 ? cgroup_path(short_id, id)
                                                         : std::string();
}

os::Fd Places::prepare() const {
  for (;;) {
    os::make_dirs(root.parent_path());
    os::Fd held(::open(users().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!held.is_open() && errno == ENOENT) continue;  // remove_empty() came between
    if (!held.is_open() || ::flock(held.get(), LOCK_SH) != 0)
      os::throw_errno(fmt::format("opening '{}'", users().string()));
    struct stat mine {};
    struct stat there {};
    bool is_there = ::fstat(held.get(), &mine) == 0 && ::stat(users().c_str(), &there) == 0 &&
                    mine.st_ino == there.st_ino;
    if (!is_there) continue;
    for (const auto& directory : {detached, attached, root}) os::make_dirs(directory);
    auto lock = os::FileLock::take(root.parent_path() / "lock");
    confine_devices(short_id);
    return held;
  }
}

std::vector<std::string> Places::command(const std::filesystem::path& log, bool has_cgroup) const {
  std::vector<std::string> argv = {program,      "--root",       root.string(), "--log",
                                   log.string(), "--log-format", "json"};
  if (is_crun)
    argv.emplace_back(has_cgroup ? "--cgroup-manager=cgroupfs" : "--cgroup-manager=disabled");
  return argv;
}

ContainerSpec make_bundle(const ContainerSpec& spec, const std::filesystem::path& bundle,
                          const std::string& cgroup_path) {
  auto root = bundle / "rootfs";
  os::make_dirs(root);
  mount_rootfs(spec.rootfs, root);
  ContainerSpec made = with_mounts_made(spec, bundle);
  clamp_ulimits(made.ulimits);
  os::write_file(bundle / "config.json", to_oci_config(made, cgroup_path, root).dump());
  return made;
}

Error runtime_error(const std::filesystem::path& log, const std::string& otherwise) {
  std::string message;
  auto text = os::read_file_if_exists(log).value_or("");
  for (auto line : lines_of(text)) {
    try {
      auto entry = formats::parse_json(line);
      if (entry.get_string("level") == "error" || message.empty())
        message = entry.get_string("msg");
    } catch (const Error&) {
      message = std::string(trim(line));
    }
  }
  message = std::string(trim(replace_all(message, "`", "'")));
  if (message.empty()) message = std::string(trim(otherwise));
  if (message.empty()) message = "the container runtime failed without a word";
  return Error(fault_of(message), message);
}

Error reported_error(std::string_view said, const std::string& otherwise) {
  auto space = said.find(' ');
  auto fault = to_integer(said.substr(0, space));
  bool is_known = fault && space != std::string_view::npos && *fault >= 0 &&
                  *fault <= static_cast<int>(Fault::unsupported);
  return is_known ? Error(static_cast<Fault>(*fault), std::string(said.substr(space + 1)))
                  : Error(Fault::unavailable, otherwise);
}

std::optional<pid_t> read_pid(const std::filesystem::path& file) {
  auto text = os::read_file_if_exists(file);
  auto number = text ? to_integer(trim(*text)) : std::nullopt;
  return number && *number > 0 ? std::optional(static_cast<pid_t>(*number)) : std::nullopt;
}

std::map<std::string, std::string> runtime_environment() {
  return {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
}

std::string owner_mark() {
  pid_t pid = ::getpid();
  return fmt::format("{} {}", pid, os::start_ticks(pid).value_or(0));
}

bool is_owner_alive(const std::string& mark) {
  auto parts = split(std::string(trim(mark)), ' ');
  if (parts.size() != 2) return false;
  auto pid = to_integer(parts[0]);
  auto ticks = to_integer(parts[1]);
  return pid && ticks &&
         os::is_alive(static_cast<pid_t>(*pid), static_cast<unsigned long long>(*ticks));
}

}  // namespace slipway::container
