// SPDX-License-Identifier: Apache-2.0
#include "container/crun_runtime.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>

#include "base/guarded.hpp"
#include "base/text.hpp"
#include "container/attached.hpp"
#include "container/attend.hpp"
#include "container/cgroup.hpp"
#include "container/detached.hpp"
#include "container/leftovers.hpp"
#include "container/sealed_program.hpp"
#include "os/file.hpp"

namespace slipway::container {
namespace {

os::Fd open_pidfd(pid_t pid) { return os::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

class CrunRuntime final : public Runtime {
 public:
  explicit CrunRuntime(const RuntimeOptions& options)
      : options_(options), places_(Places::of(options)), use_(places_.prepare()) {}
  ~CrunRuntime() override { reap_supervisors(); }

  ContainerExit run(const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                    std::stop_token stop, Deadline deadline) override {
    reap_supervisors();
    std::call_once(sealing_, [this] {
      if (places_.is_crun) sealed_ = seal_program(places_.program);
      if (sealed_.is_open()) places_.sealed = fmt::format("/proc/self/fd/{}", sealed_.get());
    });
    return run_attached(options_, places_, spec, io, steps, stop, deadline);
  }

  ContainerState start(const ContainerSpec& spec) override {
    reap_supervisors();
    auto cgroup =
        cgroup_layout() == CgroupLayout::none ? "" : cgroup_path(places_.short_id, spec.id);
    to_oci_config(spec, cgroup, "/");  // refuses what is wrong before anything is made
    auto directory = places_.detached / spec.id;
    if (std::filesystem::exists(directory / "order.json"))
      fail(Fault::conflict, "there is a container '{}' already", spec.id);
    os::make_dirs(directory);
    os::write_file(directory / "order.json", to_json(Order{spec, options_, cgroup}).dump(), 0600);
    try {
      supervise(directory);
    } catch (const Error&) {
      os::remove_tree(directory);
      throw;
    }
    return *read_state(directory);
  }

  std::optional<ContainerState> state(const std::string& id) override {
    reap_supervisors();
    return read_state(directory_of(id));
  }

  std::vector<ContainerState> list() override {
    reap_supervisors();
    std::vector<ContainerState> all;
    for (const auto& entry : std::filesystem::directory_iterator(places_.detached)) {
      if (auto state = read_state(entry.path())) all.push_back(std::move(*state));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return all;
  }

  std::optional<ContainerExit> wait(const std::string& id, std::stop_token stop,
                                    Deadline deadline) override {
    StopSignal wake(stop);
    for (;;) {
      auto state = existing(id);
      if (state.exit) {
        reap_supervisors();
        return state.exit;
      }
      if (stop.stop_requested()) throw Cancelled();
      if (deadline.passed()) return std::nullopt;
      os::Fd mind = minder(id, state);
      // Neither a supervisor nor a process yet: it is being started by somebody else this very moment.
      auto span =
          mind.is_open() ? deadline.left(std::chrono::hours(1)) : std::chrono::milliseconds(5);
      std::array<pollfd, 2> fds = {{{mind.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), static_cast<int>(span.count())) < 0 && errno != EINTR)
        os::throw_errno("poll");
    }
  }

  bool kill(const std::string& id, int signal) override {
    auto state = existing(id);
    if (state.phase != ContainerState::Phase::running) return false;
    os::Fd process = open_pidfd(state.pid);
    if (existing(id).phase != ContainerState::Phase::running)
      return false;  // so the pidfd is not a later process's
    return process.is_open() &&
           ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
  }

  void remove(const std::string& id) override {
    auto directory = directory_of(id);
    auto state = read_state(directory);
    if (!state) return;
    if (!state->exit) {
      kill(id, SIGKILL);
      wait(id, {}, Deadline::in(std::chrono::seconds(10)));
    }
    delete_leftover(places_, id, cgroup_path(places_.short_id, id));
    os::remove_tree(directory);
    reap_supervisors();
  }

  os::Exit exec(const std::string& id, const ExecSpec& exec, const RunIo& io, std::stop_token stop,
                Deadline deadline) override {
    auto directory = directory_of(id);
    auto bundle =
        std::filesystem::exists(directory / "config.json") ? directory : places_.attached / id;
    return exec_in(places_, id, bundle, exec, io, stop, deadline);
  }

  Usage usage(const std::string& id) override {
    return container::usage(cgroup_path(places_.short_id, id));
  }

 private:
  [[nodiscard]] std::filesystem::path directory_of(const std::string& id) const {
    if (id.empty() || id.find('/') != std::string::npos || id[0] == '.')
      fail(Fault::not_found, "no container '{}'", id);
    return places_.detached / id;
  }

  ContainerState existing(const std::string& id) {
    auto state = read_state(directory_of(id));
    if (!state) fail(Fault::not_found, "no container '{}'", id);
    return *state;
  }

  // Whose end to wait for: the supervisor's, who writes how the container ended; without one, the container's.
  os::Fd minder(const std::string& id, const ContainerState& state) {
    if (auto mark = os::read_file_if_exists(directory_of(id) / "supervisor")) {
      auto pid = to_integer(split(*mark, ' ')[0]);
      os::Fd fd = pid ? open_pidfd(static_cast<pid_t>(*pid)) : os::Fd();
      if (fd.is_open() && is_owner_alive(*mark)) return fd;
    }
    return state.pid > 0 ? open_pidfd(state.pid) : os::Fd();
  }

  void supervise(const std::filesystem::path& directory) {
    os::Pipe status = os::make_pipe();
    os::Fd log =
        os::open_file((directory / "shim.log").string(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    auto process = os::Process::spawn(
        {.argv = {options_.supervisor.string(), "container-shim", directory.string()},
         .env = runtime_environment(),
         .cwd = "/",
         .stdout_fd = log.get(),
         .inherit = {{status.write.get(), 3}},
         .own_session = true});
    status.write.reset();
    std::string said = os::read_all(status.read.get());  // ends with the supervisor at the latest
    if (said != "ok") {
      process.wait({}, Deadline::in(std::chrono::seconds(20)));
      auto words = os::read_file_if_exists(directory / "shim.log").value_or("");
      throw reported_error(
          said, fmt::format("the container's supervisor ended unexpectedly: {}", trim(words)));
    }
    pid_t pid = process.detach();
    supervisors_.with([&](auto& pids) { pids.push_back(pid); });
  }

  // Supervisors that we started are our children for as long as we live: their ends are collected here.
  void reap_supervisors() {
    supervisors_.with([](auto& pids) {
      std::erase_if(pids, [](pid_t pid) {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0 ||
               info.si_pid != 0;
      });
    });
  }

  RuntimeOptions options_;
  Places places_;
  os::Fd use_;  // of the places
  std::once_flag sealing_;
  os::Fd sealed_;
  Guarded<std::vector<pid_t>> supervisors_;
};

}  // namespace

std::unique_ptr<Runtime> make_crun_runtime(const RuntimeOptions& options) {
  if (!os::find_program(options.program)) {
    fail(Fault::unavailable,
         "no container runtime '{}' on this machine; install it: apt-get install crun",
         options.program);
  }
  if (::geteuid() != 0)
    fail(Fault::unavailable, "containers need root here; start slipway with sudo");
  auto runtime = std::make_unique<CrunRuntime>(options);
  sweep(options);
  return runtime;
}

}  // namespace slipway::container
