// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "container/spec.hpp"

namespace slipway::container {
namespace {

using formats::Json;

constexpr std::uint64_t kNewUser = 0x10000000;  // CLONE_NEWUSER
constexpr int kNotPermitted = 1;                // EPERM
constexpr int kNoSuchCall =
    38;  // ENOSYS: callers fall back to clone(2), whose flags can be looked at

Json names(std::initializer_list<const char*> list) {
  Json out = Json::array();
  for (const char* name : list) out.push_back(name);
  return out;
}

Json refusal(Json which, int error) {
  return Json::object(
      {{"names", std::move(which)}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", error}});
}

Json refusal_with_new_user(const char* name) {
  Json rule = refusal(names({name}), kNotPermitted);
  rule["args"] = Json::array({Json::object(
      {{"index", 0}, {"value", kNewUser}, {"valueTwo", kNewUser}, {"op", "SCMP_CMP_MASKED_EQ"}})});
  return rule;
}

}  // namespace

Json default_seccomp(const std::vector<std::string>& allowed) {
  auto has = [&](const char* name) {
    return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
  };
  Json rules = Json::array();
  rules.push_back(
      refusal(names({"add_key", "keyctl", "request_key", "userfaultfd", "kexec_load",
                     "kexec_file_load", "nfsservctl", "uselib", "sysfs", "_sysctl", "vm86",
                     "vm86old", "move_pages", "get_kernel_syms", "query_module", "create_module",
                     "io_uring_setup", "io_uring_enter", "io_uring_register"}),
              kNotPermitted));
  if (!has("CAP_SYS_ADMIN")) {
    rules.push_back(refusal(
        names({"bpf",           "fanotify_init",   "lookup_dcookie", "mount",    "mount_setattr",
               "move_mount",    "open_tree",       "fsopen",         "fsconfig", "fsmount",
               "fspick",        "perf_event_open", "pivot_root",     "quotactl", "quotactl_fd",
               "setdomainname", "sethostname",     "setns",          "swapon",   "swapoff",
               "umount",        "umount2"}),
        kNotPermitted));
    rules.push_back(refusal_with_new_user("clone"));
    rules.push_back(refusal_with_new_user("unshare"));
    rules.push_back(refusal(names({"clone3"}), kNoSuchCall));
  }
  if (!has("CAP_DAC_READ_SEARCH"))
    rules.push_back(refusal(names({"open_by_handle_at"}), kNotPermitted));
  if (!has("CAP_SYS_BOOT")) rules.push_back(refusal(names({"reboot"}), kNotPermitted));
  if (!has("CAP_SYS_MODULE"))
    rules.push_back(
        refusal(names({"init_module", "finit_module", "delete_module"}), kNotPermitted));
  if (!has("CAP_SYS_PACCT")) rules.push_back(refusal(names({"acct"}), kNotPermitted));
  if (!has("CAP_SYS_RAWIO")) rules.push_back(refusal(names({"iopl", "ioperm"}), kNotPermitted));
  if (!has("CAP_SYS_TIME")) {
    rules.push_back(refusal(names({"settimeofday", "stime", "clock_settime", "clock_settime64"}),
                            kNotPermitted));
  }
  return Json::object(
      {{"defaultAction", "SCMP_ACT_ALLOW"},
       {"architectures", names({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"})},
       {"syscalls", std::move(rules)}});
}

}  // namespace slipway::container
