// SPDX-License-Identifier: Apache-2.0
#include "container/attached.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/attend.hpp"
#include "container/cgroup.hpp"
#include "container/detached.hpp"
#include "container/fd_passing.hpp"
#include "container/private_mounts.hpp"
#include "os/file.hpp"
#include "os/stop_event.hpp"

namespace slipway::container {
namespace {

using formats::Json;

// Removes an attached container's directory whatever happens.
class BundleDirectory final {
 public:
  explicit BundleDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  BundleDirectory(const BundleDirectory&) = delete;
  BundleDirectory& operator=(const BundleDirectory&) = delete;
  ~BundleDirectory() {
    try {
      os::remove_tree(path_);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): sweep() tries again
    }
  }

 private:
  std::filesystem::path path_;
};

os::Command command_for(const RunIo& io, std::vector<std::string> argv) {
  return {.argv = std::move(argv),
          .env = runtime_environment(),
          .stdin_fd = io.stdin_fd,
          .stdout_fd = io.stdout_fd,
          .stderr_fd = io.stderr_fd};
}

void send_to(pid_t pid, int signal) {
  if (pid > 0) ::kill(pid, signal);
}

ContainerExit as_shell_shows(ContainerExit exit) {
  exit.exit = {exit.exit.status(), 0};
  return exit;
}

// The runtime forwards every signal but SIGKILL, which must go to the container's first process itself.
os::Exit attend_runtime(os::Process& process, const std::filesystem::path& pid_file,
                        const RunIo& io, bool whole_output, const StopSteps& steps,
                        const std::stop_token& stop, Deadline deadline, bool kill_group) {
  return attend(process, io, whole_output, steps, stop, deadline, [&](int signal) {
    if (signal != SIGKILL) {
      process.signal(signal);
      return;
    }
    auto pid = read_pid(pid_file).value_or(0);
    if (kill_group && pid > 0 && ::getpgid(pid) == pid) pid = -pid;
    if (pid != 0) ::kill(pid, SIGKILL);
  });
}

ContainerExit run_direct(const Places& places, const ContainerSpec& spec, const RunIo& io,
                         const StopSteps& steps, const std::stop_token& stop, Deadline deadline) {
  std::string cgroup = places.attached_cgroup(spec.id);
  to_oci_config(spec, cgroup, "/");  // refuses what is wrong before anything is made
  auto bundle = claim_bundle(places, spec.id);
  BundleDirectory removed_at_the_end(bundle);
  std::optional<MountStubs> stubs;
  std::optional<os::Process> process;
  in_private_mounts({}, [&](const std::stop_token&) {
    join_confined(places.short_id);
    auto made = make_bundle(spec, bundle, cgroup);
    if (!spec.rootfs.upper.empty()) stubs.emplace(bundle / "rootfs", spec.rootfs.upper, made);
    auto argv = places.command(bundle / "runtime.log", !cgroup.empty());
    if (!places.sealed.empty()) argv[0] = places.sealed;
    for (const auto& word : {std::string("run"), std::string("--bundle"), bundle.string(),
                             std::string("--pid-file"), (bundle / "pid").string(), spec.id}) {
      argv.push_back(word);
    }
    process = os::Process::spawn(command_for(io, argv));
  });
  auto exit = attend_runtime(*process, bundle / "pid", io, true, steps, stop, deadline, false);
  if (stubs) stubs->remove();  // the mounts are gone with their last process
  bool was_stopped = stop.stop_requested() || deadline.passed();
  if (was_stopped) delete_leftover(places, spec.id, cgroup);
  if (was_stopped && !exit.ok()) throw_if_stopped(stop, deadline);
  if (!exit.ok()) {
    auto log = os::read_file_if_exists(bundle / "runtime.log").value_or("");
    if (log.find("\"error\"") != std::string::npos) throw runtime_error(bundle / "runtime.log", "");
  }
  return as_shell_shows({.exit = exit, .ended_ms = now_ms()});
}

ContainerExit run_supervised(const RuntimeOptions& options, const Places& places,
                             const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                             const std::stop_token& stop, Deadline deadline) {
  std::string cgroup = cgroup_path(places.short_id, spec.id);
  to_oci_config(spec, cgroup, "/");
  if (cgroup_layout() == CgroupLayout::none) {
    fail(Fault::unavailable,
         "limits for a container need cgroups, and none are mounted at /sys/fs/cgroup");
  }
  auto bundle = claim_bundle(places, spec.id);
  BundleDirectory removed_at_the_end(bundle);
  os::write_file(bundle / "order.json", to_json(Order{spec, options, cgroup, false}).dump(), 0600);
  auto command = command_for(io, {options.supervisor.string(), "container-shim", bundle.string()});
  os::Pipe status = os::make_pipe();
  command.inherit = {{status.write.get(), 3}};
  command.cwd = "/";
  auto process = os::Process::spawn(command);
  status.write.reset();
  attend(process, io, true, steps, stop, deadline, [&](int signal) {
    auto state = read_state(bundle);
    if (state && state->phase == ContainerState::Phase::running) send_to(state->pid, signal);
  });
  auto state = read_state(bundle);
  std::string said = os::read_all(status.read.get());
  if (said != "ok") throw reported_error(said, "the container's supervisor failed");
  if (!state || !state->exit)
    fail(Fault::unavailable, "the container's supervisor ended without a word");
  if (!state->exit->exit.ok()) throw_if_stopped(stop, deadline);
  return as_shell_shows(*state->exit);
}

Json exec_process(const ExecSpec& exec, const std::filesystem::path& bundle) {
  if (exec.argv.empty()) fail(Fault::bad_input, "no command to run");
  auto config = formats::parse_json(os::read_file(bundle / "config.json"), "config.json");
  Json process = config.at("process");
  Json args = Json::array();
  for (const auto& word : exec.argv) args.push_back(word);
  Json env = Json::array();
  if (exec.over_own) {
    for (const auto& entry : process.get_array("env")) {
      auto name = entry.as_string().substr(0, entry.as_string().find('='));
      if (!exec.env.contains(name)) env.push_back(entry);
    }
  }
  for (const auto& [name, value] : exec.env) env.push_back(name + "=" + value);
  Json groups = Json::array();
  for (auto group : exec.user.groups) groups.push_back(group);
  process["args"] = std::move(args);
  process["env"] = std::move(env);
  if (!exec.over_own) process["cwd"] = exec.cwd;
  process["terminal"] = exec.terminal;
  process["noNewPrivileges"] = exec.no_new_privileges;
  process["user"] = Json::object(
      {{"uid", exec.user.uid}, {"gid", exec.user.gid}, {"additionalGids", std::move(groups)}});
  Json& caps = process["capabilities"];
  Json held = exec.user.uid == 0 ? caps.at("bounding") : Json::array();
  caps["effective"] = held;
  caps["permitted"] = std::move(held);
  return process;
}

// Makes the process's group the one that the terminal listens to, and takes the terminal back at the end.
class TerminalTurn final {
 public:
  TerminalTurn(int terminal, pid_t group) : terminal_(terminal) {
    if (terminal_ < 0) return;
    give_to(group);
    ::kill(-group, SIGCONT);  // it may have asked for the terminal too early and been stopped
  }
  TerminalTurn(const TerminalTurn&) = delete;
  TerminalTurn& operator=(const TerminalTurn&) = delete;
  ~TerminalTurn() {
    if (terminal_ >= 0) give_to(::getpgrp());
  }

 private:
  void give_to(pid_t group) const {
    sigset_t stop_signal;
    sigset_t before;
    sigemptyset(&stop_signal);
    sigaddset(&stop_signal, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stop_signal, &before);
    ::tcsetpgrp(terminal_, group);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  int terminal_;
};

// Where the runtime hands over the terminal that it makes.
class ConsoleSocket final {
 public:
  explicit ConsoleSocket(const std::filesystem::path& directory)
      : path_(directory / "console"),
        socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    // By the directory's descriptor: a socket's own path may have 107 bytes only.
    os::Fd place = os::open_file(directory, O_PATH | O_DIRECTORY);
    std::string short_path = fmt::format("/proc/self/fd/{}/console", place.get());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    short_path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    if (!socket_.is_open() ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_.get(), 1) != 0) {
      os::throw_errno("a socket for the terminal");
    }
  }
  [[nodiscard]] std::string path() const { return path_.string(); }
  // Waits for the terminal; gives nothing when `stop` was asked for first.
  [[nodiscard]] os::Fd receive(const std::stop_token& stop) const {
    os::StopEvent stopped(stop);
    auto is_ready = [&](int fd) {
      std::array<pollfd, 2> waiting{{{fd, POLLIN, 0}, {stopped.get(), POLLIN, 0}}};
      while (::poll(waiting.data(), waiting.size(), -1) < 0 && errno == EINTR) {
      }
      return waiting[1].revents == 0;
    };
    if (!is_ready(socket_.get())) return {};
    os::Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.is_open() || !is_ready(connection.get())) return {};
    auto message = receive_message(connection);
    if (!message || message->fds.empty()) return {};
    return std::move(message->fds.front());
  }

 private:
  std::filesystem::path path_;
  os::Fd socket_;
};

}  // namespace

std::filesystem::path claim_bundle(const Places& places, const std::string& id) {
  auto bundle = places.attached / id;
  if (auto mark = os::read_file_if_exists(bundle / "owner")) {
    if (is_owner_alive(*mark)) fail(Fault::conflict, "a container '{}' is running already", id);
    remove_dead(places, id);
  }
  os::make_dirs(bundle);
  os::write_file(bundle / "owner", owner_mark());
  return bundle;
}

void remove_dead(const Places& places, const std::string& id) {
  auto bundle = places.attached / id;
  delete_leftover(places, id, cgroup_path(places.short_id, id));
  // A view's changes lie elsewhere, in the directory of its job.
  if (auto changes = os::read_file_if_exists(bundle / "changes")) os::remove_tree(*changes);
  os::remove_tree(bundle);
}

void delete_leftover(const Places& places, const std::string& id, const std::string& cgroup) {
  if (std::filesystem::exists(places.root / id)) {
    auto work = [&](const std::stop_token&) {
      auto argv = places.command("/dev/null", true);
      for (const auto& word : {std::string("delete"), std::string("--force"), id})
        argv.push_back(word);
      os::capture({.argv = argv, .env = runtime_environment()}, {},
                  Deadline::in(std::chrono::seconds(20)));
    };
    in_private_mounts({}, work);
  }
  if (!cgroup.empty()) remove_cgroup(cgroup);
}

ContainerExit run_attached(const RuntimeOptions& options, const Places& places,
                           const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                           const std::stop_token& stop, Deadline deadline) {
  if (spec.limits.any()) return run_supervised(options, places, spec, io, steps, stop, deadline);
  return run_direct(places, spec, io, steps, stop, deadline);
}

os::Exit exec_in(const Places& places, const std::string& id, const std::filesystem::path& bundle,
                 const ExecSpec& exec, const RunIo& io, const std::stop_token& stop,
                 Deadline deadline) {
  if (!std::filesystem::exists(bundle / "config.json"))
    fail(Fault::not_found, "no running container '{}'", id);
  os::TempDir files(places.attached.parent_path());
  os::write_file(files.path() / "process.json", exec_process(exec, bundle).dump(), 0600);
  auto log = files.path() / "runtime.log";
  auto argv = places.command(log, true);
  for (const auto& word :
       {std::string("exec"), std::string("--process"), (files.path() / "process.json").string(),
        std::string("--pid-file"), (files.path() / "pid").string()}) {
    argv.push_back(word);
  }
  std::optional<ConsoleSocket> console;
  if (io.on_terminal) {
    console.emplace(files.path());
    argv.insert(argv.end(), {"--console-socket", console->path()});
  }
  argv.push_back(id);
  std::optional<os::Process> process;
  in_private_mounts({}, [&](const std::stop_token&) {
    join_confined(places.short_id);
    process = os::Process::spawn(command_for(io, argv));
  });
  os::Exit exit;
  {
    TaskGroup taking{std::stop_token{}};  // ends with the process, whether a terminal came or not
    if (console) {
      taking.start([&](const std::stop_token& ended) {
        if (os::Fd terminal = console->receive(ended); terminal.is_open())
          io.on_terminal(std::move(terminal));
      });
    }
    TerminalTurn turn(exec.terminal && !console ? io.stdin_fd : -1, process->pid());
    exit = attend_runtime(*process, files.path() / "pid", io, false, exec.stop_steps, stop,
                          deadline, true);
  }
  if (!exit.ok() &&
      os::read_file_if_exists(log).value_or("").find("\"error\"") != std::string::npos) {
    throw runtime_error(log, "");
  }
  return {exit.status(), 0};
}

}  // namespace slipway::container
