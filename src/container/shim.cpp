// SPDX-License-Identifier: Apache-2.0
// The supervisor of one detached container. It is a process of its own so that the container's exit code, its output and
// its end are kept whatever happens to the slipway that started it: as a subreaper it becomes the parent of the container's
// first process when the OCI runtime has gone. It tells its starter "ok" or the reason on descriptor 3 and is then alone.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>

#include "base/text.hpp"
#include "container/attend.hpp"
#include "container/cgroup.hpp"
#include "container/detached.hpp"
#include "container/log_file.hpp"
#include "container/private_mounts.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"

namespace slipway::container {
namespace {

constexpr int kStatusFd = 3;
constexpr std::size_t kLongestLine = 16 * 1024;

// Cuts one stream into log lines.
class LineCutter final {
 public:
  LineCutter(int log, bool is_stderr) : log_(log), is_stderr_(is_stderr) {}
  void add(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
      if (pending_.empty()) first_ms_ = now_ms();
      auto end = bytes.find('\n');
      auto take = std::min(end == std::string_view::npos ? bytes.size() : end,
                           kLongestLine - pending_.size());
      pending_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      bool is_whole = !bytes.empty() && bytes.front() == '\n';
      if (is_whole) bytes.remove_prefix(1);
      if (is_whole || pending_.size() == kLongestLine) out += cut(!is_whole);
    }
    write(out);
  }
  void finish() {
    if (!pending_.empty()) write(cut(false));
  }

 private:
  std::string cut(bool partial) {
    if (!partial && pending_.ends_with('\r')) pending_.pop_back();
    auto text = to_string(LogLine{first_ms_, is_stderr_, partial, pending_});
    pending_.clear();
    first_ms_ = now_ms();
    return text;
  }
  void write(const std::string& text) {
    try {
      os::write_all(log_, text);
    } catch (
        const Error&) {  // NOLINT(bugprone-empty-catch): a full disk loses lines, never the container
    }
  }

  int log_;
  bool is_stderr_;
  std::string pending_;
  std::int64_t first_ms_ = 0;
};

struct Outputs {
  os::Fd out;
  os::Fd err;
};

void tell(std::string_view text) {
  try {
    os::write_all(kStatusFd, text);
  } catch (
      const Error&) {  // NOLINT(bugprone-empty-catch): the starter is gone; the directory tells the rest
  }
  ::close(kStatusFd);
}

void start_container(const Order& order, const Places& places,
                     const std::filesystem::path& directory, Outputs& outputs) {
  enter_private_mounts();
  join_confined(places.short_id);
  make_bundle(order.spec, directory, order.cgroup);
  auto log = directory / "runtime.log";
  auto argv = places.command(log, !order.cgroup.empty());
  for (const auto& word :
       {std::string("run"), std::string("--detach"), std::string("--bundle"), directory.string(),
        std::string("--pid-file"), (directory / "pid").string(), order.spec.id}) {
    argv.push_back(word);
  }
  os::Command command{.argv = argv, .env = runtime_environment()};
  os::Pipe out;
  os::Pipe err;
  if (order.keep_output) {
    out = os::make_pipe();
    err = os::make_pipe();
    command.stdout_fd = out.write.get();
    command.stderr_fd = err.write.get();
  } else {
    command.stdin_fd = STDIN_FILENO;
    command.stdout_fd = STDOUT_FILENO;
    command.stderr_fd = STDERR_FILENO;
  }
  os::make_dirs(places.root);
  auto runtime = os::Process::spawn(command);
  out.write.reset();
  err.write.reset();
  auto exit = runtime.wait({}, Deadline::in(std::chrono::seconds(60)));
  if (!exit || !exit->ok()) {
    std::string said;
    if (order.keep_output) {
      pollfd there{err.read.get(), POLLIN, 0};
      std::array<char, 4096> chunk{};
      if (::poll(&there, 1, 0) > 0) {
        ssize_t n = ::read(err.read.get(), chunk.data(), chunk.size());
        if (n > 0) said.assign(chunk.data(), static_cast<std::size_t>(n));
      }
    }
    throw runtime_error(log, exit ? said : "the container runtime did not come back within 60 s");
  }
  outputs.out = std::move(out.read);
  outputs.err = std::move(err.read);
}

// We are the subreaper: whatever is orphaned below us becomes our child, and only we can reap it.
void reap_orphans(pid_t except) {
  siginfo_t info{};
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
         info.si_pid != except) {
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    info = {};
  }
}

// Copies the output until the first process has ended and the output with it.
void mind(const os::Fd& pidfd, Outputs& outputs, const std::filesystem::path& log_path) {
  os::Fd log = os::open_file(log_path, O_WRONLY | O_APPEND | O_CREAT, 0640);
  std::array<LineCutter, 2> cutters = {LineCutter(log.get(), false), LineCutter(log.get(), true)};
  std::array<os::Fd*, 2> streams = {&outputs.out, &outputs.err};
  std::array<char, 65536> chunk{};
  std::optional<Deadline> last;  // set when the process has ended: its output must end soon
  while (!last || ((outputs.out.is_open() || outputs.err.is_open()) && !last->passed())) {
    std::array<pollfd, 3> fds = {{{outputs.out.get(), POLLIN, 0},
                                  {outputs.err.get(), POLLIN, 0},
                                  {last ? -1 : pidfd.get(), POLLIN, 0}}};
    int timeout = last ? static_cast<int>(last->left().count()) : -1;
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) os::throw_errno("poll");
    for (std::size_t i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      ssize_t n = ::read(streams[i]->get(), chunk.data(), chunk.size());
      if (n > 0) cutters[i].add({chunk.data(), static_cast<std::size_t>(n)});
      if (n == 0) streams[i]->reset();
    }
    if (fds[2].revents != 0) last = Deadline::in(std::chrono::seconds(2));
  }
  for (auto& cutter : cutters) cutter.finish();
}

// Waits for a child other than the container to end, and collects it. @throws Error when there is none left.
void reap_another() {
  siginfo_t info{};
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) os::throw_errno("waiting for the container's parent");
  }
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
}

ContainerExit reap(const os::Fd& pidfd, const std::string& cgroup) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0) {
    // A container that ends at once ends before the runtime's own helper, whose child it is until then: the dead
    // process becomes ours only when the helper, which is our child, has gone.
    if (errno == ECHILD)
      reap_another();
    else if (errno != EINTR)
      os::throw_errno("waiting for the container");
  }
  ContainerExit result{.ended_ms = now_ms()};
  result.exit =
      info.si_code == CLD_EXITED ? os::Exit{info.si_status & 0xFF, 0} : os::Exit{0, info.si_status};
  if (!cgroup.empty()) result.out_of_memory = usage(cgroup).out_of_memory_kills > 0;
  return result;
}

void delete_container(const Order& order, const Places& places,
                      const std::filesystem::path& directory) {
  auto argv = places.command(directory / "runtime.log", !order.cgroup.empty());
  for (const auto& word : {std::string("delete"), std::string("--force"), order.spec.id})
    argv.push_back(word);
  os::capture({.argv = argv, .env = runtime_environment()}, {},
              Deadline::in(std::chrono::seconds(20)));
  if (!order.cgroup.empty()) remove_cgroup(order.cgroup);
}

void supervise(const std::filesystem::path& directory) {
  os::replace_file(directory / "supervisor", owner_mark());
  auto order =
      order_from_json(formats::parse_json(os::read_file(directory / "order.json"), "order.json"));
  auto places = Places::of(order.runtime);
  Outputs outputs;
  os::Fd pidfd;
  pid_t pid = 0;
  try {
    start_container(order, places, directory, outputs);
    pid = read_pid(directory / "pid").value_or(0);
    // The container may have ended already; as its parent we still hold it, so the pid is its own.
    pidfd = os::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.is_open()) os::throw_errno("the container's first process");
  } catch (const Error& error) {
    os::replace_file(
        directory / "exit.json",
        to_json(ContainerExit{.exit = {128, 0}, .reason = error.what(), .ended_ms = now_ms()})
            .dump());
    delete_container(order, places, directory);
    tell(fmt::format("{} {}", static_cast<int>(error.fault()), error.what()));
    return;
  }
  auto ticks = os::start_ticks(pid).value_or(0);
  os::replace_file(
      directory / "running.json",
      formats::Json::object({{"pid", pid}, {"ticks", ticks}, {"started_ms", now_ms()}}).dump());
  tell("ok");
  mind(pidfd, outputs, directory / "log");
  auto result = reap(pidfd, order.cgroup);
  reap_orphans(0);
  delete_container(order, places, directory);
  os::replace_file(directory / "exit.json", to_json(result).dump());
}

}  // namespace

int run_shim(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "slipway: container-shim is started by slipway itself\n";
    return 2;
  }
  // Ctrl-C and a closed terminal are for the slipway in front of it; it ends with its container.
  for (int number : {SIGINT, SIGHUP, SIGTERM, SIGPIPE, SIGQUIT}) ::signal(number, SIG_IGN);
  ::fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  try {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) os::throw_errno("becoming a subreaper");
    supervise(argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "slipway: container-shim: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace slipway::container
