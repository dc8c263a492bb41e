// SPDX-License-Identifier: Apache-2.0
// The first process of a HostView. It speaks over descriptor 3, a socket with message boundaries:
//   us → slipway   "ready"
//   slipway → us   "exec" with descriptors: request (JSON in a memory file), reply socket, stdin, stdout, stderr
// and over each reply socket:
//   us → slipway   "started", then "exit CODE SIGNAL"; or "error FAULT MESSAGE"
//   slipway → us   "signal N", to the command's process, SIGKILL to its group; closing the socket kills the group
// When slipway's end of descriptor 3 closes, however that comes, we end, and with us everything in the pid namespace.
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <list>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/fd_passing.hpp"
#include "container/host_view.hpp"
#include "formats/json.hpp"
#include "os/process.hpp"

namespace slipway::container {
namespace {

using formats::Json;

struct Running {
  os::Process process;
  os::Fd reply;
};

// The raw calls act on the calling thread alone; the C library's would change the whole process.
void become(const Json& user) {
  std::vector<gid_t> groups;
  for (const auto& group : user.get_array("groups"))
    groups.push_back(static_cast<gid_t>(group.as_int()));
  auto uid = static_cast<uid_t>(user.get_int("uid"));
  auto gid = static_cast<gid_t>(user.get_int("gid"));
  bool ok = ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0 &&
            ::syscall(SYS_setresgid, gid, gid, gid) == 0 &&
            ::syscall(SYS_setresuid, uid, uid, uid) == 0;
  if (!ok) os::throw_errno(fmt::format("becoming user {}", uid));
}

std::string find_in_path(const std::string& name, const std::map<std::string, std::string>& env,
                         const std::string& cwd) {
  auto is_program = [](const std::string& path) {
    std::error_code error;
    return ::access(path.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(path, error);
  };
  if (name.find('/') != std::string::npos) {
    if (is_program(name.starts_with('/') ? name : cwd + "/" + name)) return name;
    fail(Fault::not_found, "no program '{}'", name);
  }
  auto path = env.find("PATH");
  for (const auto& place :
       split(path == env.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second, ':')) {
    auto candidate = (place.empty() ? cwd : place) + "/" + name;
    if (is_program(candidate)) return candidate;
  }
  fail(Fault::not_found, "no program '{}' in PATH", name);
}

os::Process start(const Json& request, const std::vector<os::Fd>& fds) {
  os::Command command;
  for (const auto& word : request.get_array("argv")) command.argv.push_back(word.as_string());
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : request.at("env").as_object()) env[name] = value.as_string();
  command.cwd = request.get_string("cwd", "/");
  command.stdin_fd = fds[2].get();
  command.stdout_fd = fds[3].get();
  command.stderr_fd = fds[4].get();
  std::optional<os::Process> process;
  auto spawn = [&](const std::stop_token&) {
    if (request.get_bool("no_new_privileges")) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    become(request);
    std::error_code error;
    if (!std::filesystem::is_directory(command.cwd, error))
      fail(Fault::not_found, "no directory '{}'", command.cwd);
    command.argv[0] = find_in_path(command.argv.at(0), env, command.cwd);
    command.env = std::move(env);
    process = os::Process::spawn(command);
  };
  TaskGroup thread({});  // of its own, for it becomes another user
  thread.start(spawn);
  thread.join();
  return std::move(*process);
}

class Init final {
 public:
  explicit Init(os::Fd control) : control_(std::move(control)) {
    sigset_t signals;
    sigemptyset(&signals);
    for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&signals, number);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signals_ = os::Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.is_open()) os::throw_errno("signalfd");
  }

  // Until slipway's end of the control socket is closed.
  void serve() {
    if (!send_message(control_, "ready")) return;
    for (;;) {
      std::vector<pollfd> fds = {{control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      for (const auto& running : running_) fds.push_back({running.reply.get(), POLLIN, 0});
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) os::throw_errno("poll");
      if (fds[1].revents != 0) reap_all();
      std::size_t at = 2;
      for (auto& running : running_) {
        if (at < fds.size() && fds[at].fd == running.reply.get() && fds[at].revents != 0)
          hear(running);
        ++at;
      }
      if (fds[0].revents == 0) continue;
      auto message = receive_message(control_);
      if (!message) return;
      begin(*message);
    }
  }

 private:
  void begin(Message& message) {
    if (message.fds.size() != 5) return;
    os::Fd reply = std::move(message.fds[1]);
    try {
      auto request = formats::parse_json(os::read_all(message.fds[0].get()), "request");
      auto process = start(request, message.fds);
      send_message(reply, "started");
      running_.push_back({std::move(process), std::move(reply)});
    } catch (const Error& error) {
      auto text = fmt::format("error {} {}", static_cast<int>(error.fault()), error.what());
      send_message(reply, std::string_view(text).substr(0, 4000));
    }
  }

  static void hear(Running& running) {
    auto message = receive_message(running.reply);
    int number = SIGKILL;  // its slipway has lost interest
    if (message && message->bytes.starts_with("signal ")) {
      number = static_cast<int>(
          to_integer(std::string_view(message->bytes).substr(7)).value_or(SIGKILL));
    }
    if (number == SIGKILL) {
      running.process.signal(number);
    } else {
      running.process.signal_leader(number);
    }
    if (!message) running.reply.reset();
  }

  // Commands of ours, and every orphan of the pid namespace: we are its first process, nobody else can reap them.
  void reap_all() {
    signalfd_siginfo ignored{};
    while (::read(signals_.get(), &ignored, sizeof ignored) > 0) {
    }
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
      auto found = std::find_if(running_.begin(), running_.end(), [&](const Running& running) {
        return running.process.pid() == info.si_pid;
      });
      if (found == running_.end()) {
        ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
      } else {
        auto exit = found->process.wait({}, Deadline::never());
        if (found->reply.is_open())
          send_message(found->reply, fmt::format("exit {} {}", exit->code, exit->signal));
        running_.erase(found);
      }
      info = {};
    }
  }

  os::Fd control_;
  os::Fd signals_;
  std::list<Running> running_;
};

}  // namespace

int run_init(int, char**) {
  try {
    os::Fd control(3);
    ::fcntl(control.get(), F_SETFD, FD_CLOEXEC);
    Init init(std::move(control));
    init.serve();
  } catch (const std::exception& error) {
    os::write_all(STDERR_FILENO, fmt::format("slipway: container-init: {}\n", error.what()));
    ::_exit(1);
  }
  ::_exit(0);  // at once: the namespace ends with us
}

}  // namespace slipway::container
