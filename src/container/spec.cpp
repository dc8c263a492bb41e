// SPDX-License-Identifier: Apache-2.0
#include "container/spec.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/user_namespace.hpp"

namespace slipway::container {
namespace {

using formats::Json;

// By number, as linux/capability.h has them.
constexpr std::array<std::string_view, 41> kCapabilities = {"CAP_CHOWN",
                                                            "CAP_DAC_OVERRIDE",
                                                            "CAP_DAC_READ_SEARCH",
                                                            "CAP_FOWNER",
                                                            "CAP_FSETID",
                                                            "CAP_KILL",
                                                            "CAP_SETGID",
                                                            "CAP_SETUID",
                                                            "CAP_SETPCAP",
                                                            "CAP_LINUX_IMMUTABLE",
                                                            "CAP_NET_BIND_SERVICE",
                                                            "CAP_NET_BROADCAST",
                                                            "CAP_NET_ADMIN",
                                                            "CAP_NET_RAW",
                                                            "CAP_IPC_LOCK",
                                                            "CAP_IPC_OWNER",
                                                            "CAP_SYS_MODULE",
                                                            "CAP_SYS_RAWIO",
                                                            "CAP_SYS_CHROOT",
                                                            "CAP_SYS_PTRACE",
                                                            "CAP_SYS_PACCT",
                                                            "CAP_SYS_ADMIN",
                                                            "CAP_SYS_BOOT",
                                                            "CAP_SYS_NICE",
                                                            "CAP_SYS_RESOURCE",
                                                            "CAP_SYS_TIME",
                                                            "CAP_SYS_TTY_CONFIG",
                                                            "CAP_MKNOD",
                                                            "CAP_LEASE",
                                                            "CAP_AUDIT_WRITE",
                                                            "CAP_AUDIT_CONTROL",
                                                            "CAP_SETFCAP",
                                                            "CAP_MAC_OVERRIDE",
                                                            "CAP_MAC_ADMIN",
                                                            "CAP_SYSLOG",
                                                            "CAP_WAKE_ALARM",
                                                            "CAP_BLOCK_SUSPEND",
                                                            "CAP_AUDIT_READ",
                                                            "CAP_PERFMON",
                                                            "CAP_BPF",
                                                            "CAP_CHECKPOINT_RESTORE"};

constexpr std::array<std::string_view, 15> kUlimits = {
    "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
    "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};

Json strings(const std::vector<std::string>& values) {
  Json::Array items(values.begin(), values.end());
  return Json(std::move(items));
}

Json strings(std::initializer_list<const char*> values) {
  Json::Array items;
  for (const char* value : values) items.emplace_back(value);
  return Json(std::move(items));
}

Json mount(const std::string& target, const char* type, const std::string& source, Json options) {
  return Json::object({{"destination", target},
                       {"type", type},
                       {"source", source},
                       {"options", std::move(options)}});
}

// "chown", "CAP_CHOWN": as Docker and ECS let users write them.
std::string capability(const std::string& name) {
  std::string full = to_upper(name);
  if (!full.starts_with("CAP_")) full = "CAP_" + full;
  if (std::find(kCapabilities.begin(), kCapabilities.end(), full) == kCapabilities.end()) {
    fail(Fault::bad_input, "no capability '{}'", name);
  }
  return full;
}

bool is_all(const std::string& name) { return equals_ignoring_case(name, "ALL"); }

// All that this machine can give: in a container of somebody else's that is less than there are.
std::vector<std::string> all_capabilities() {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kCapabilities.size(); ++i) {
    if (::prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) all.emplace_back(kCapabilities[i]);
  }
  return all;
}

std::vector<std::string> capabilities(const Security& security, bool may_make_devices) {
  std::vector<std::string> set = default_capabilities();
  for (const auto& name : security.drop_capabilities) {
    if (is_all(name)) {
      set.clear();
    } else {
      std::erase(set, capability(name));
    }
  }
  for (const auto& name : security.add_capabilities) {
    if (is_all(name)) {
      set = all_capabilities();
    } else if (auto full = capability(name); std::find(set.begin(), set.end(), full) == set.end()) {
      set.push_back(full);
    }
  }
  if (!may_make_devices)
    std::erase(set, "CAP_MKNOD");  // no devices cgroup would keep it from the host's disks
  return set;
}

Json process(const ContainerSpec& spec, bool has_cgroup) {
  Json::Array env;
  for (const auto& [name, value] : spec.env) env.emplace_back(name + "=" + value);
  Json::Array groups;
  for (auto group : spec.user.groups) groups.emplace_back(group);
  Json caps = strings(capabilities(spec.security, has_cgroup));
  Json none = Json::array();
  // A root process has what is bounding; another user's process starts with none in effect, as in Docker.
  const Json& held = spec.user.uid == 0 ? caps : none;
  Json::Array rlimits;
  for (const auto& limit : spec.ulimits) {
    if (std::find(kUlimits.begin(), kUlimits.end(), limit.name) == kUlimits.end()) {
      fail(Fault::bad_input, "no ulimit '{}'", limit.name);
    }
    if (limit.soft > limit.hard)
      fail(Fault::bad_input, "ulimit '{}': the soft limit is above the hard one", limit.name);
    rlimits.push_back(Json::object(
        {{"type", "RLIMIT_" + to_upper(limit.name)}, {"soft", limit.soft}, {"hard", limit.hard}}));
  }
  return Json::object({{"terminal", false},
                       {"user", Json::object({{"uid", spec.user.uid},
                                              {"gid", spec.user.gid},
                                              {"additionalGids", Json(std::move(groups))}})},
                       {"args", strings(spec.argv)},
                       {"env", Json(std::move(env))},
                       {"cwd", spec.cwd.empty() ? "/" : spec.cwd},
                       {"capabilities", Json::object({{"bounding", caps},
                                                      {"effective", held},
                                                      {"permitted", held},
                                                      {"inheritable", none},
                                                      {"ambient", none}})},
                       {"rlimits", Json(std::move(rlimits))},
                       {"noNewPrivileges", spec.security.no_new_privileges}});
}

Json user_mount(const MountPoint& point) {
  if (!point.target.starts_with('/'))
    fail(Fault::bad_input, "mount target '{}' is not an absolute path", point.target);
  if (point.kind == MountPoint::Kind::tmpfs) {
    Json options = strings({"nosuid", "nodev"});
    options.push_back(fmt::format("mode={:o}", point.mode));
    if (point.size_bytes != 0) options.push_back(fmt::format("size={}", point.size_bytes));
    if (point.read_only) options.push_back("ro");
    return mount(point.target, "tmpfs", "tmpfs", std::move(options));
  }
  // An overlay has been mounted at its place by the time the runtime starts: see private_mounts.hpp.
  return mount(point.target, "bind", point.source.string(),
               strings({"rbind", "rprivate", point.read_only ? "ro" : "rw"}));
}

Json mounts(const ContainerSpec& spec, bool has_cgroup) {
  Json all = Json::array();
  all.push_back(mount("/proc", "proc", "proc", strings({"nosuid", "noexec", "nodev"})));
  all.push_back(mount("/dev", "tmpfs", "tmpfs",
                      strings({"nosuid", "strictatime", "mode=755", "size=65536k"})));
  const bool is_ordinary =
      os::is_in_user_namespace();  // no group 5, no sysfs of the host's network
  Json terminals = strings({"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"});
  if (!is_ordinary) terminals.push_back("gid=5");
  all.push_back(mount("/dev/pts", "devpts", "devpts", std::move(terminals)));
  if (is_ordinary && spec.network.kind == NetworkChoice::Kind::host)
    all.push_back(
        mount("/sys", "none", "/sys", strings({"rbind", "nosuid", "noexec", "nodev", "ro"})));
  else
    all.push_back(mount("/sys", "sysfs", "sysfs", strings({"nosuid", "noexec", "nodev", "ro"})));
  if (has_cgroup) {
    all.push_back(
        mount("/sys/fs/cgroup", "cgroup", "cgroup", strings({"ro", "nosuid", "noexec", "nodev"})));
  }
  all.push_back(mount("/dev/mqueue", "mqueue", "mqueue", strings({"nosuid", "noexec", "nodev"})));
  Json shm = strings({"nosuid", "noexec", "nodev", "mode=1777"});
  shm.push_back(fmt::format("size={}", spec.shm_bytes));
  all.push_back(mount("/dev/shm", "tmpfs", "shm", std::move(shm)));
  for (const auto& point : spec.mounts) all.push_back(user_mount(point));
  return all;
}

Json resources(const Limits& limits) {
  Json memory = Json::object();
  if (limits.memory_bytes) {
    memory["limit"] = *limits.memory_bytes;
  }
  if (limits.memory_reservation_bytes) memory["reservation"] = *limits.memory_reservation_bytes;
  Json cpu = Json::object();
  if (limits.cpu_shares) cpu["shares"] = std::clamp<std::uint64_t>(*limits.cpu_shares, 2, 262144);
  if (limits.cpu_thousandths) {
    cpu["period"] = 100000;
    cpu["quota"] = std::max<std::uint64_t>(*limits.cpu_thousandths * 100, 1000);
  }
  Json all = Json::object(
      {{"devices",
        Json::array({Json::object({{"allow", false}, {"access", "rwm"}}),
                     Json::object({{"allow", true}, {"type", "c"}, {"access", "m"}}),
                     Json::object({{"allow", true}, {"type", "b"}, {"access", "m"}})})}});
  if (!memory.empty()) all["memory"] = std::move(memory);
  if (!cpu.empty()) all["cpu"] = std::move(cpu);
  if (limits.pids) all["pids"] = Json::object({{"limit", *limits.pids}});
  return all;
}

Json namespaces(const NetworkChoice& network) {
  Json all = Json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount"})
    all.push_back(Json::object({{"type", type}}));
  if (network.kind == NetworkChoice::Kind::none) all.push_back(Json::object({{"type", "network"}}));
  if (network.kind == NetworkChoice::Kind::joined) {
    all.push_back(Json::object({{"type", "network"}, {"path", network.path.string()}}));
  }
  return all;
}

Json linux_part(const ContainerSpec& spec, const std::string& cgroup_path) {
  Json part = Json::object({{"namespaces", namespaces(spec.network)}});
  if (!cgroup_path.empty()) {
    part["cgroupsPath"] = cgroup_path;
    part["resources"] = resources(spec.limits);
  }
  if (!spec.sysctls.empty()) {
    Json& sysctl = part["sysctl"];
    for (const auto& [name, value] : spec.sysctls) sysctl[name] = value;
  }
  if (spec.security.seccomp) part["seccomp"] = default_seccomp(capabilities(spec.security, true));
  if (spec.security.masked_paths) {
    part["maskedPaths"] =
        strings({"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                 "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
                 "/sys/firmware", "/sys/devices/virtual/powercap"});
    part["readonlyPaths"] =
        strings({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"});
  }
  return part;
}

void check(const ContainerSpec& spec) {
  auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  if (spec.id.empty() || spec.id.size() > 200 || spec.id[0] == '.' || spec.id[0] == '-' ||
      !std::all_of(spec.id.begin(), spec.id.end(), is_plain)) {
    fail(Fault::bad_input, "'{}' is no container id: letters, digits, '_', '.' and '-' only",
         spec.id);
  }
  if (spec.argv.empty())
    fail(Fault::bad_input, "no command to run: neither an entrypoint nor a command is given");
  if (!spec.cwd.empty() && !spec.cwd.starts_with('/')) {
    fail(Fault::bad_input, "working directory '{}' is not an absolute path", spec.cwd);
  }
  auto paths = spec.rootfs.lower;
  paths.insert(paths.end(), {spec.rootfs.upper, spec.rootfs.work, spec.rootfs.directory});
  for (const auto& point : spec.mounts)
    paths.insert(paths.end(), {point.source, point.upper, point.work});
  for (const auto& path : paths) {
    if (!path.empty() && !path.is_absolute())
      fail(Fault::bad_input, "'{}' is not an absolute path", path.string());
  }
  if (spec.limits.memory_bytes && *spec.limits.memory_bytes < 4ULL * 1024 * 1024) {
    fail(Fault::bad_input, "a memory limit of {} bytes is too small: at least 4 MiB",
         *spec.limits.memory_bytes);
  }
}

}  // namespace

const std::vector<std::string>& default_capabilities() {
  static const std::vector<std::string> kDefault = {
      "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
      "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
      "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
      "CAP_KILL",    "CAP_AUDIT_WRITE"};
  return kDefault;
}

Json to_oci_config(const ContainerSpec& spec, const std::string& cgroup_path,
                   const std::filesystem::path& root) {
  check(spec);
  bool has_cgroup = !cgroup_path.empty();
  Json config = Json::object(
      {{"ociVersion", "1.0.2"},
       {"process", process(spec, has_cgroup)},
       {"root", Json::object({{"path", root.string()}, {"readonly", spec.rootfs.read_only}})},
       {"hostname", spec.hostname.empty() ? spec.id.substr(0, 12) : spec.hostname},
       {"mounts", mounts(spec, has_cgroup)},
       {"linux", linux_part(spec, cgroup_path)}});
  if (!spec.annotations.empty()) {
    Json& annotations = config["annotations"];
    for (const auto& [name, value] : spec.annotations) annotations[name] = value;
  }
  return config;
}

}  // namespace slipway::container
