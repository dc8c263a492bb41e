// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/stop_event.hpp"

extern char** environ;  // NOLINT: POSIX's name

namespace slipway::os {
namespace {

struct SpawnActions {
  SpawnActions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

void set_attributes(SpawnActions& actions, const Command& command) {
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  posix_spawnattr_setsigmask(&actions.attributes, &none);
  posix_spawnattr_setsigdefault(&actions.attributes, &defaults);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  flags = static_cast<short>(flags |
                             (command.own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP));
  posix_spawnattr_setflags(&actions.attributes, flags);
  posix_spawnattr_setpgroup(&actions.attributes, 0);
}

// Sources are first lifted above every target, so that no dup2 overwrites a source that is still needed.
std::vector<Fd> set_files(SpawnActions& actions, const Command& command, int out, int err,
                          int null) {
  std::vector<std::pair<int, int>> moves = {
      {command.stdin_fd >= 0 ? command.stdin_fd : null, 0}, {out, 1}, {err, 2}};
  moves.insert(moves.end(), command.inherit.begin(), command.inherit.end());
  int highest = 2;
  for (const auto& move : moves) highest = std::max(highest, move.second);
  std::vector<Fd> lifted;
  for (const auto& [ours, theirs] : moves) {
    int copy = ::fcntl(ours, F_DUPFD_CLOEXEC, highest + 1);
    if (copy < 0) throw_errno("duplicating a descriptor");
    lifted.emplace_back(copy);
    posix_spawn_file_actions_adddup2(&actions.files, copy, theirs);
  }
  if (!command.cwd.empty())
    posix_spawn_file_actions_addchdir_np(&actions.files, command.cwd.c_str());
  return lifted;
}

std::vector<std::string> environment_strings(const Command& command) {
  std::vector<std::string> out;
  if (command.env) {
    for (const auto& [name, value] : *command.env) out.push_back(fmt::format("{}={}", name, value));
  } else {
    for (char** entry = environ; *entry; ++entry) out.emplace_back(*entry);
  }
  return out;
}

}  // namespace

std::string to_string(Exit exit) {
  if (exit.signal == 0) return fmt::format("exit code {}", exit.code);
  const char* name = ::sigdescr_np(exit.signal);
  return fmt::format("signal {} ({})", exit.signal, name ? name : "unknown");
}

Process::Process(pid_t pid, Fd pidfd, Fd output)
    : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      exit_(other.exit_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    this->~Process();
    new (this) Process(std::move(other));
  }
  return *this;
}

Process::~Process() {
  if (pid_ < 0 || exit_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  try {
    reap();
  } catch (
      const Error&) {  // NOLINT(bugprone-empty-catch): it was reaped elsewhere, nothing is left to do
  }
}

Process Process::spawn(const Command& command) {
  assert(!command.argv.empty() && "a command has a program");
  auto program = find_program(command.argv[0]);
  if (!program) fail(Fault::not_found, "no program '{}' on this machine", command.argv[0]);
  Fd null = open_file("/dev/null", O_RDWR);
  Pipe pipe;
  if (command.stdout_fd < 0) pipe = make_pipe();
  int out = command.stdout_fd >= 0 ? command.stdout_fd : pipe.write.get();
  int err = command.stderr_fd >= 0 ? command.stderr_fd : out;
  SpawnActions actions;
  set_attributes(actions, command);
  auto lifted = set_files(actions, command, out, err, null.get());
  auto argv = command.argv;
  auto env = environment_strings(command);
  pid_t pid = -1;
  int error = ::posix_spawn(&pid, program->c_str(), &actions.files, &actions.attributes,
                            pointers(argv).data(), pointers(env).data());
  if (error != 0) {
    errno = error;
    throw_errno(fmt::format("starting '{}'{}", command.argv[0],
                            command.cwd.empty() ? "" : fmt::format(" in '{}'", command.cwd)));
  }
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw_errno("pidfd_open");
  }
  return Process(pid, std::move(pidfd), std::move(pipe.read));
}

void Process::signal(int number) const {
  if (pid_ < 0 || exit_) return;
  // The group may not exist yet in the instant before the child's setpgid; the child itself always does.
  if (::kill(-pid_, number) != 0) ::kill(pid_, number);
}

void Process::signal_leader(int number) const {
  if (pid_ >= 0 && !exit_) ::kill(pid_, number);
}

Exit Process::reap() {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0) {
    if (errno != EINTR) throw_errno("waitid");
  }
  exit_ = info.si_code == CLD_EXITED ? Exit{info.si_status & 0xFF, 0} : Exit{0, info.si_status};
  return *exit_;
}

std::optional<Exit> Process::poll_once(int wake, std::chrono::milliseconds span,
                                       const std::function<void(std::string_view)>& sink) {
  std::array<pollfd, 3> fds = {
      {{pidfd_.get(), POLLIN, 0}, {wake, POLLIN, 0}, {output_.get(), POLLIN, 0}}};
  if (!sink) fds[2].fd = -1;
  int timeout = static_cast<int>(std::min<std::chrono::milliseconds::rep>(span.count(), 3600'000));
  if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) throw_errno("poll");
  if (fds[2].revents != 0) {
    std::array<char, 65536> chunk{};
    ssize_t n = ::read(output_.get(), chunk.data(), chunk.size());
    if (n > 0) {
      sink({chunk.data(), static_cast<std::size_t>(n)});
      return std::nullopt;
    }
    if (n == 0) output_.reset();
  }
  if (fds[0].revents != 0) return reap();
  return std::nullopt;
}

std::optional<Exit> Process::wait(const std::stop_token& stop, Deadline deadline) {
  StopEvent event(stop);
  while (!exit_) {
    if (stop.stop_requested()) throw Cancelled();
    if (poll_once(event.get(), deadline.left(), {})) break;
    if (deadline.passed()) return std::nullopt;
  }
  return exit_;
}

Exit Process::run(const std::stop_token& stop, Deadline deadline, std::chrono::milliseconds grace,
                  const std::function<void(std::string_view)>& sink) {
  StopEvent event(stop);
  std::optional<Deadline> kill_at;
  std::function<void(std::string_view)> drop = [](std::string_view) {};
  const auto& out = sink ? sink : drop;
  while (!exit_) {
    bool due = stop.stop_requested() || deadline.passed();
    if (due && !kill_at) {
      signal(SIGTERM);
      kill_at = Deadline::in(grace);
    } else if (kill_at && kill_at->passed()) {
      signal(SIGKILL);
      kill_at = Deadline::never();
    }
    poll_once(kill_at ? -1 : event.get(), (kill_at ? *kill_at : deadline).left(), out);
  }
  // What the process wrote before it ended is still in the pipe; a grandchild that holds it open is not waited for.
  while (output_.is_open()) {
    pollfd rest{output_.get(), POLLIN, 0};
    if (::poll(&rest, 1, 0) <= 0) break;
    std::array<char, 65536> chunk{};
    ssize_t n = ::read(output_.get(), chunk.data(), chunk.size());
    if (n <= 0) break;
    out({chunk.data(), static_cast<std::size_t>(n)});
  }
  if (kill_at && stop.stop_requested()) throw Cancelled();
  if (kill_at) fail(Fault::failed, "timed out");
  return *exit_;
}

pid_t Process::detach() {
  exit_ = Exit{};
  return pid_;
}

Captured capture(Command command, const std::stop_token& stop, Deadline deadline,
                 std::string_view input) {
  Captured result;
  Pipe err = make_pipe();
  Pipe in = make_pipe();
  command.stderr_fd = err.write.get();
  command.stdin_fd = in.read.get();
  Process process = Process::spawn(command);
  err.write.reset();
  in.read.reset();
  std::jthread feed([&] {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
    try {
      write_all(in.write.get(), input);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the child need not read its input
    }
    in.write.reset();
  });
  std::jthread drain([&] { result.err = read_all(err.read.get()); });
  result.exit = process.run(stop, deadline, std::chrono::seconds(2),
                            [&](std::string_view chunk) { result.out.append(chunk); });
  feed.join();
  drain.join();
  return result;
}

std::optional<std::string> find_program(std::string_view name) {
  auto is_program = [](const std::string& path) {
    return ::access(path.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(path);
  };
  if (name.find('/') != std::string_view::npos) {
    return is_program(std::string(name)) ? std::optional(std::string(name)) : std::nullopt;
  }
  const char* path =
      std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  std::string places = fmt::format(
      "{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", path ? path : "");
  for (const auto& place : split(places, ':')) {
    if (place.empty()) continue;
    auto candidate = fmt::format("{}/{}", place, name);
    if (is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    auto at = text.find('=');
    if (at != std::string_view::npos) out.emplace(text.substr(0, at), text.substr(at + 1));
  }
  return out;
}

std::optional<unsigned long long> start_ticks(pid_t pid) {
  auto stat = read_file_if_exists(fmt::format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  auto after_name = stat->rfind(')');
  if (after_name == std::string::npos) return std::nullopt;
  auto fields = split(trim(std::string_view(*stat).substr(after_name + 1)), ' ');
  if (fields.size() < 20 || fields[0] == "Z") return std::nullopt;  // a zombie runs no more
  auto ticks = to_integer(fields[19]);
  return ticks ? std::optional(static_cast<unsigned long long>(*ticks)) : std::nullopt;
}

bool wait_until_gone(pid_t pid, unsigned long long ticks, const std::stop_token& stop,
                     Deadline deadline) {
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open() || !is_alive(pid, ticks)) return true;
  StopEvent event(stop);
  while (!deadline.passed()) {
    if (stop.stop_requested()) throw Cancelled();
    std::array<pollfd, 2> fds = {{{pidfd.get(), POLLIN, 0}, {event.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(),
               static_cast<int>(deadline.left(std::chrono::hours(1)).count())) < 0 &&
        errno != EINTR) {
      throw_errno("poll");
    }
    if (fds[0].revents != 0) return true;
  }
  return false;
}

bool is_alive(pid_t pid, unsigned long long ticks) { return start_ticks(pid) == ticks; }

}  // namespace slipway::os
