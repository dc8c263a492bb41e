// SPDX-License-Identifier: Apache-2.0
#include "container/host_view.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "container/attached.hpp"
#include "container/attend.hpp"
#include "container/bundle.hpp"
#include "container/cgroup.hpp"
#include "container/fd_passing.hpp"
#include "container/private_mounts.hpp"
#include "container/view_root.hpp"
#include "container/view_trust.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

namespace slipway::container {
namespace {

namespace fs = std::filesystem;
using formats::Json;

// For hosts without sudo: jobs are root already, but their scripts say sudo.
constexpr std::string_view kSudo = R"(#!/bin/sh
# sudo of a slipway job, which is root already
user=
while [ $# -gt 0 ]; do
  case $1 in
    -u|--user) user=$2; shift 2 ;;
    --user=*) user=${1#*=}; shift ;;
    -g|-h|-p|-C|-r|-t|-T|-U|-D|-R) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *=*) export "$1"; shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- "${SHELL:-/bin/sh}"
if [ -n "$user" ] && [ "$user" != root ]; then exec runuser -u "$user" -- "$@"; fi
exec "$@"
)";

std::vector<fs::path> home_directories() {
  std::vector<fs::path> homes = {"/root"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/home", error)) homes.push_back(entry.path());
  return homes;
}

// shadow(5) with every password hash locked; the accounts stay, for useradd and its like.
std::string without_passwords(std::string_view shadow) {
  std::string out;
  for (auto line : lines_of(shadow)) {
    auto fields = split(line, ':');
    if (fields.size() > 1 && fields[1] != "!") fields[1] = "*";
    out += join(fields, ":") + "\n";
  }
  return out;
}

void hide_private_things(ViewRoot& root, const RuntimeOptions& runtime,
                         const HostViewOptions& options) {
  for (const auto& home : home_directories()) root.hide(home);
  for (const char* place :
       {"/tmp", "/var/tmp", "/mnt", "/media", "/boot", "/var/lib/docker", "/var/lib/containerd",
        "/var/spool/cron", "/etc/docker", "/etc/ssl/private"}) {
    root.hide(place);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/etc/ssh", error)) {
    if (entry.path().filename().string().starts_with("ssh_host_")) root.hide(entry.path());
  }
  for (const char* file : {"/etc/shadow", "/etc/gshadow"}) {
    if (auto text = os::read_file_if_exists(file)) root.write(file, without_passwords(*text), 0640);
  }
  root.hide(runtime.state);
  root.hide(options.directory);
  for (const auto& path : options.hidden) root.hide(path);
}

std::string hosts_file(const HostViewOptions& options) {
  return fmt::format("127.0.0.1\tlocalhost\n::1\tip6-localhost ip6-loopback\n127.0.1.1\t{}\n{}",
                     options.hostname, options.hosts);
}

std::string resolver_file(const HostViewOptions& options) {
  if (options.nameserver.empty()) return os::read_file_if_exists("/etc/resolv.conf").value_or("");
  return fmt::format("nameserver {}\n", options.nameserver);
}

// Our own program's file; a copy of it when it has been replaced or removed since we started. (A bind of /proc/PID/exe would do for
// both, but the kernel binds nothing from another mount namespace.)
fs::path init_program(const RuntimeOptions& runtime, const fs::path& changes) {
  std::error_code error;
  auto real = fs::canonical(runtime.supervisor, error);
  if (!error && fs::equivalent(real, runtime.supervisor, error)) return real;
  auto copy = changes / "init";
  fs::copy_file(runtime.supervisor, copy, fs::copy_options::overwrite_existing);
  fs::permissions(copy, fs::perms(0755));
  return copy;
}

ContainerSpec view_spec(const RuntimeOptions& runtime, const HostViewOptions& options,
                        const fs::path& changes) {
  ViewRoot root(changes);
  hide_private_things(root, runtime, options);
  if (!os::find_program("sudo")) root.write("/usr/local/bin/sudo", kSudo, 0755);
  for (const auto& [path, text] : options.programs) root.write(path, text, 0755);
  if (!options.trusted_certificates.empty()) trust(root, options.trusted_certificates);
  ContainerSpec spec{
      .id = options.id,
      .rootfs = root.rootfs(),
      .argv = {kSlipwayInside, "container-init"},
      .env = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
      .mounts = root.mounts(),
      .hostname = options.hostname,
      .resolv_conf = resolver_file(options),
      .hosts = hosts_file(options),
      .network = options.network,
      .limits = options.limits,
      // Debuggers and leak checkers; browsers' and build tools' own sandboxes, as on a runner of GitHub's.
      .security = {.add_capabilities = {"CAP_SYS_PTRACE"}, .seccomp = false},
      .shm_bytes = 2ULL * 1024 * 1024 * 1024};
  spec.mounts.push_back({.kind = MountPoint::Kind::tmpfs, .target = "/run", .mode = 0755});
  spec.mounts.push_back({.kind = MountPoint::Kind::bind,
                         .source = init_program(runtime, changes),
                         .target = kSlipwayInside,
                         .read_only = true});
  spec.mounts.insert(spec.mounts.end(), options.mounts.begin(), options.mounts.end());
  return spec;
}

std::string request_of(const ExecSpec& exec) {
  Json argv = Json::array();
  for (const auto& word : exec.argv) argv.push_back(word);
  Json env = Json::object();
  for (const auto& [name, value] : exec.env) env[name] = value;
  Json groups = Json::array();
  for (auto group : exec.user.groups) groups.push_back(group);
  return Json::object({{"argv", std::move(argv)},
                       {"env", std::move(env)},
                       {"cwd", exec.cwd},
                       {"uid", exec.user.uid},
                       {"gid", exec.user.gid},
                       {"groups", std::move(groups)},
                       {"no_new_privileges", exec.no_new_privileges}})
      .dump();
}

os::Exit exit_of(const std::string& bytes) {
  auto words = split(bytes, ' ');
  if (words.size() != 3 || words[0] != "exit")
    fail(Fault::unavailable, "the job's machine answered '{}'", bytes);
  return {static_cast<int>(to_integer(words[1]).value_or(255)),
          static_cast<int>(to_integer(words[2]).value_or(0))};
}

[[noreturn]] void throw_gone() { fail(Fault::unavailable, "the job's machine has ended"); }

}  // namespace

struct HostView::Inside {
  Places places;
  os::Fd use;  // of the places
  HostViewOptions options;
  fs::path changes;  // upper directories; gone at the end
  fs::path bundle;
  std::string cgroup;
  std::optional<os::Process> runtime;  // `crun run`, in the foreground
  os::Fd control;
  pid_t pid = 0;

  void start(const ContainerSpec& spec) {
    auto ends = socket_pair();
    ask_for_senders(ends.first);
    os::Fd log = os::open_file((bundle / "view.log").string(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    in_private_mounts({}, [&](const std::stop_token&) {
      join_confined(places.short_id);
      make_bundle(spec, bundle, cgroup);
      auto argv = places.command(bundle / "runtime.log", !cgroup.empty());
      for (const auto& word :
           {std::string("run"), std::string("--bundle"), bundle.string(), std::string("--pid-file"),
            (bundle / "pid").string(), std::string("--preserve-fds=1"), spec.id}) {
        argv.push_back(word);
      }
      runtime = os::Process::spawn({.argv = argv,
                                    .env = runtime_environment(),
                                    .stdout_fd = log.get(),
                                    .inherit = {{ends.second.get(), 3}},
                                    .own_session = true});
    });
    ends.second.reset();
    control = std::move(ends.first);
    auto ready = receive_message(control);
    if (!ready) {
      runtime->wait({}, Deadline::in(std::chrono::seconds(10)));
      throw runtime_error(bundle / "runtime.log",
                          os::read_file_if_exists(bundle / "view.log").value_or(""));
    }
    pid = ready->sender;  // the runtime may write its pid file later than this
  }

  // Never throws: what cannot be removed now is swept at the next start.
  void end() noexcept {
    try {
      control.reset();
      if (runtime && !runtime->wait({}, Deadline::in(std::chrono::seconds(2)))) {
        if (pid > 0) ::kill(pid, SIGKILL);
        runtime->wait({}, Deadline::in(std::chrono::seconds(5)));
      }
      runtime.reset();
      delete_leftover(places, options.id, cgroup);
      os::remove_tree(bundle);
      if (!options.keeps_changes) os::remove_tree(changes);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    }
  }
};

HostView::HostView(const RuntimeOptions& runtime, const HostViewOptions& options)
    : inside_(std::make_unique<Inside>()) {
  if (::geteuid() != 0)
    fail(Fault::unavailable,
         "a job's machine needs root here; start slipway with sudo, or use --host");
  Inside& in = *inside_;
  in.places = Places::of(runtime);
  in.options = options;
  in.changes = options.directory / "view";
  in.cgroup = options.limits.any() ? cgroup_path(in.places.short_id, options.id)
                                   : in.places.attached_cgroup(options.id);
  in.use = in.places.prepare();
  if (!options.keeps_changes) os::remove_tree(in.changes);
  auto spec = view_spec(runtime, options, in.changes);
  to_oci_config(spec, in.cgroup, "/");
  in.bundle = claim_bundle(in.places, options.id);
  // For sweep(), should we be killed.
  if (!options.keeps_changes) os::write_file(in.bundle / "changes", in.changes.string());
  try {
    in.start(spec);
  } catch (const Error&) {
    in.end();
    throw;
  }
}

HostView::~HostView() { inside_->end(); }

pid_t HostView::pid() const { return inside_->pid; }

os::Exit HostView::exec(const ExecSpec& exec, const RunIo& io, std::stop_token stop) {
  if (exec.argv.empty()) fail(Fault::bad_input, "no command to run");
  auto [ours, theirs] = socket_pair();
  os::Pipe output;
  bool wants_output = io.stdout_fd < 0 || io.stderr_fd < 0;
  if (wants_output) output = os::make_pipe();
  os::Fd null = os::open_file("/dev/null", O_RDONLY);
  os::Fd request = memory_file(request_of(exec));
  bool sent = send_message(inside_->control, "exec",
                           {request.get(), theirs.get(), io.stdin_fd < 0 ? null.get() : io.stdin_fd,
                            io.stdout_fd < 0 ? output.write.get() : io.stdout_fd,
                            io.stderr_fd < 0 ? output.write.get() : io.stderr_fd});
  if (!sent) throw_gone();
  theirs.reset();
  output.write.reset();
  auto begun = receive_message(ours);
  if (!begun) throw_gone();
  if (begun->bytes.starts_with("error ")) {
    throw reported_error(std::string_view(begun->bytes).substr(6), begun->bytes);
  }
  StopSignal wake(stop);
  StopLadder ladder(exec.stop_steps, Deadline::never());
  for (;;) {
    if (int signal = ladder.due(stop.stop_requested()))
      send_message(ours, fmt::format("signal {}", signal));
    std::array<pollfd, 3> fds = {{{ours.get(), POLLIN, 0},
                                  {ladder.has_begun() ? -1 : wake.get(), POLLIN, 0},
                                  {output.read.get(), POLLIN, 0}}};
    auto timeout = ladder.next().left(std::chrono::hours(1));
    if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) < 0 && errno != EINTR)
      os::throw_errno("poll");
    if (fds[0].revents != 0) break;
    if (fds[2].revents != 0 && !pass_on(output.read.get(), io.sink)) output.read.reset();
  }
  auto ended = receive_message(ours);
  if (output.read.is_open()) {
    bool is_open = !drain(output.read.get(), io.sink, io.on_left_open != nullptr);
    if (is_open && io.on_left_open) io.on_left_open(std::move(output.read));
  }
  if (!ended) throw_gone();
  return exit_of(ended->bytes);
}

fs::path HostView::outside(const std::string& inside) const {
  const MountPoint* best = nullptr;
  for (const auto& point : inside_->options.mounts) {
    bool is_match = inside == point.target || inside.starts_with(point.target + "/");
    if (is_match && (!best || point.target.size() > best->target.size())) best = &point;
  }
  if (best && best->kind == MountPoint::Kind::bind) {
    auto rest = inside.substr(best->target.size());
    return rest.empty() ? best->source : best->source / rest.substr(1);
  }
  return fmt::format("/proc/{}/root{}", inside_->pid, inside);
}

std::optional<std::string> HostView::find_program(const std::string& name,
                                                  const std::string& path) const {
  os::Fd root(
      ::open(fmt::format("/proc/{}/root", inside_->pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open()) throw_gone();
  auto is_program = [&](const std::string& candidate) {
    open_how how{
        .flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    os::Fd file(
        static_cast<int>(::syscall(SYS_openat2, root.get(), candidate.c_str(), &how, sizeof how)));
    struct stat info {};
    return file.is_open() && ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) &&
           (info.st_mode & 0111) != 0;
  };
  if (name.find('/') != std::string::npos)
    return is_program(name) ? std::optional(name) : std::nullopt;
  for (const auto& place : split(path, ':')) {
    auto candidate = place + "/" + name;
    if (!place.empty() && is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace slipway::container
