// SPDX-License-Identifier: Apache-2.0
#include "os/user_namespace.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/reason.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::os {
namespace {

bool setting_is(const char* file, std::string_view value) {
  return trim(read_file_if_exists(file).value_or("")) == value;
}

// What forbids namespaces to ordinary users, as far as the kernel shows it.
[[noreturn]] void refuse_namespace(std::string_view what, int error) {
  std::string why;
  if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
    why = "sysctl kernel.unprivileged_userns_clone is 0: set it to 1";
  else if (setting_is("/proc/sys/user/max_user_namespaces", "0"))
    why = "sysctl user.max_user_namespaces is 0: set it to 10000";
  else if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
    why =
        "sysctl kernel.apparmor_restrict_unprivileged_userns is 1: set it to 0, or give this "
        "program an AppArmor profile with 'userns,'";
  else
    why = "a seccomp or security module forbids it (are we in a container?)";
  fail(Fault::denied,
       "an ordinary user builds in a user namespace, and {} failed ({}); {}; or start "
       "slipway with sudo",
       what, reason_of(error), why);
}

std::vector<IdRange> ranges_of(const char* file, const std::string& name) {
  return id_ranges(read_file_if_exists(file).value_or(""), name, ::getuid());
}

std::vector<std::string> map_command(const char* program, unsigned own,
                                     const std::vector<IdRange>& ranges) {
  std::vector<std::string> argv{program, std::to_string(::getpid()), "0", std::to_string(own), "1"};
  unsigned inside = 1;
  for (const auto& range : ranges) {
    argv.push_back(std::to_string(inside));
    argv.push_back(std::to_string(range.first));
    argv.push_back(std::to_string(range.count));
    inside += range.count;
  }
  return argv;
}

// newuidmap must be started before we leave the namespace that it works from, and may write only after: it waits for its input.
Process start_waiting(const std::vector<std::string>& argv, const Pipe& go) {
  std::vector<std::string> waiting{"/proc/self/exe", kWhenTold};
  waiting.insert(waiting.end(), argv.begin(), argv.end());
  return Process::spawn({.argv = std::move(waiting), .stdin_fd = go.read.get()});
}

void write_own(const char* file, std::string_view text) {
  Fd fd(::open(file, O_WRONLY | O_CLOEXEC));
  if (!fd.is_open() || ::write(fd.get(), text.data(), text.size()) < 0)
    refuse_namespace(fmt::format("writing {}", file), errno);
}

}  // namespace

bool is_in_user_namespace() {
  static const bool kIsIn = [] {
    auto map = read_file_if_exists("/proc/self/uid_map").value_or("");
    std::string plain;
    for (const auto& word : split(map, ' ')) {
      if (!word.empty()) plain += std::string(trim(word)) + " ";
    }
    return !map.empty() && plain != "0 0 4294967295 ";
  }();
  return kIsIn;
}

bool is_unmapped_owner(int error) { return error == EINVAL && is_in_user_namespace(); }

int run_when_told(char** argv) {
  char go = 0;
  if (::read(STDIN_FILENO, &go, 1) != 1) return 1;  // whom it was for is gone
  ::execvp(argv[0], argv);
  return 127;
}

std::vector<IdRange> id_ranges(std::string_view text, std::string_view name, unsigned id) {
  std::vector<IdRange> found;
  for (std::string_view line : lines_of(text)) {
    auto parts = split(line, ':');
    if (parts.size() != 3 || (parts[0] != name && parts[0] != std::to_string(id))) continue;
    auto first = to_integer(trim(parts[1]));
    auto count = to_integer(trim(parts[2]));
    constexpr long long kMost = 0xFFFFFFFFLL;
    if (!first || !count || *first <= 0 || *count <= 0 || *first + *count > kMost) continue;
    found.push_back({static_cast<unsigned>(*first), static_cast<unsigned>(*count)});
  }
  return found;
}

void enter_user_namespace() {
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  const passwd* entry = ::getpwuid(uid);  // NOLINT(concurrency-mt-unsafe): the only thread
  std::string name = entry ? entry->pw_name : "";
  auto uids = ranges_of("/etc/subuid", name);
  auto gids = ranges_of("/etc/subgid", name);
  bool maps_many =
      !uids.empty() && !gids.empty() && find_program("newuidmap") && find_program("newgidmap");
  std::vector<std::pair<Pipe, Process>> mappers;
  if (maps_many) {
    for (auto&& argv : {map_command("newuidmap", uid, uids), map_command("newgidmap", gid, gids)}) {
      Pipe go = make_pipe();
      Process process = start_waiting(argv, go);
      mappers.emplace_back(std::move(go), std::move(process));
    }
  }
  if (::unshare(CLONE_NEWUSER) != 0) refuse_namespace("unshare", errno);
  if (maps_many) {
    for (auto& [go, process] : mappers) {
      write_all(go.write.get(), "\n");
      std::string said;
      auto exit = process.run({}, Deadline::in(std::chrono::seconds(20)), std::chrono::seconds(1),
                              [&](std::string_view text) { said += text; });
      if (!exit.ok())
        fail(Fault::denied, "mapping the ids of /etc/subuid and /etc/subgid: {}",
             trim(said).empty() ? to_string(exit) : std::string(trim(said)));
    }
    ::setgroups(0, nullptr);  // those of the world outside are nobody's here
  } else {
    write_own("/proc/self/setgroups", "deny");
    write_own("/proc/self/uid_map", fmt::format("0 {} 1\n", uid));
    write_own("/proc/self/gid_map", fmt::format("0 {} 1\n", gid));
  }
  if (::unshare(CLONE_NEWNS) != 0) refuse_namespace("making a mount namespace", errno);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    refuse_namespace("making mounts private", errno);
}

}  // namespace slipway::os
