// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "container/cgroup.hpp"
#include "container/spec.hpp"
#include "os/process.hpp"

namespace slipway::container {

/// Receives output as it comes: stdout and stderr in the order they were written; borrowed bytes, any split.
using OutputSink = std::function<void(std::string_view)>;

/// Where an attached process's standard streams lead. Descriptors are borrowed; -1: stdin from /dev/null, the rest to `sink`.
struct RunIo {
  OutputSink sink;
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  /// Runtime::exec() with a terminal: gets the terminal's own end once, on another thread, instead of a terminal joined to the
  /// descriptors. The output is read there, not by `sink`.
  std::function<void(os::Fd)> on_terminal;
  /// exec() only: gets the read end of the output that others still hold open kLeftOpen after the process's end, which is waited for
  /// then. Without it the output ends with the process.
  std::function<void(os::Fd)> on_left_open;
};

/// How long a step goes on when its process has ended and what it started still holds its output.
///   source  actions/runner ProcessInvoker.cs, ProcessExitedHandler
inline constexpr std::chrono::seconds kLeftOpen{5};

/// How a process is asked to go when it is stopped: SIGINT, SIGTERM, SIGKILL with these waits between (0: left out).
struct StopSteps {
  std::chrono::milliseconds after_interrupt{0};
  std::chrono::milliseconds after_terminate{2000};
};

/// SIGKILL, as `docker rm --force`: for what nobody needs any more.
inline constexpr StopSteps kAtOnce{.after_interrupt = {}, .after_terminate = {}};

/// A further process in a running container.
struct ExecSpec {
  std::vector<std::string> argv;  ///< argv[0] without a slash is looked up in env's PATH, inside
  std::map<std::string, std::string> env;  ///< all of it; nothing is inherited
  std::string cwd = "/";
  User user;
  bool terminal =
      false;  ///< a pseudo terminal joined to RunIo's descriptors, which are a terminal then
  bool over_own = false;  ///< env adds to that of the container's own process, whose cwd holds
  bool no_new_privileges = false;
  StopSteps stop_steps;  ///< to the process alone; SIGKILL to its group
};

/// How a container ended.
struct ContainerExit {
  os::Exit exit;
  bool out_of_memory = false;  ///< the kernel killed something in it for its memory limit
  std::string
      reason;  ///< why it never ran, or why the exit is not known ("its supervisor was killed"); else empty
  std::int64_t ended_ms = 0;  ///< since the epoch
};

/// A detached container, as its directory tells.
struct ContainerState {
  enum class Phase { starting, running, ended };
  std::string id;
  Phase phase = Phase::starting;
  pid_t pid = 0;                ///< its first process in our pid namespace; 0 unless running
  std::int64_t started_ms = 0;  ///< since the epoch
  std::optional<ContainerExit> exit;
  std::map<std::string, std::string> annotations;
  std::filesystem::path log;  ///< see container/log_file.hpp
};

/// Starts and minds containers. Attached ones end with us; detached ones live on and are found again by list().
///   threads  every function may be called from any thread
class Runtime {
 public:
  Runtime() = default;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  virtual ~Runtime() = default;

  /// Runs a container to its end and removes it. For RUN steps and docker actions.
  ///   stop     asked for, or the deadline passed: `steps` of signals, then all its processes are killed
  ///   returns  the exit of its first process; a signal shows as code 128 + n
  ///   throws   Error{bad_input, not_found} when it cannot start for its spec's sake (no such program, user, mount);
  ///            Error{unavailable} for the machine's; Cancelled; Error{failed} "timed out"
  virtual ContainerExit run(const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                            std::stop_token stop, Deadline deadline) = 0;

  /// Starts a container that survives us, its output going to its log; returns when its first process runs.
  ///   throws  as run(); nothing of it is left then
  virtual ContainerState start(const ContainerSpec& spec) = 0;
  /// Nothing when there is no such detached container.
  virtual std::optional<ContainerState> state(const std::string& id) = 0;
  /// All detached containers of this state directory, also those that ended and were not removed.
  virtual std::vector<ContainerState> list() = 0;
  /// Waits for a detached container's end; nothing when the deadline passed first. throws Cancelled, Error{not_found}
  virtual std::optional<ContainerExit> wait(const std::string& id, std::stop_token stop,
                                            Deadline deadline) = 0;
  /// Signals its first process; false when it has ended. throws Error{not_found}
  virtual bool kill(const std::string& id, int signal) = 0;
  /// Ends it if it runs (SIGKILL to all of it) and forgets it, its upper directory excepted when the spec gave one.
  /// Absence is fine.
  virtual void remove(const std::string& id) = 0;

  /// Runs a further process in a container (detached, or attached and running) to its end.
  ///   stop     asked for, or the deadline passed: exec.stop_steps; the container itself goes on
  ///   returns  the exit, also when it was stopped; with an OCI runtime a signal shows as code 128 + n
  ///   throws   Error{not_found} for a container that does not run, a program or directory that does not exist inside
  virtual os::Exit exec(const std::string& id, const ExecSpec& exec, const RunIo& io,
                        std::stop_token stop, Deadline deadline) = 0;

  /// What a detached container has used so far; all absent for one that has no cgroup or does not run.
  virtual Usage usage(const std::string& id);
};

/// Asks a detached container to end: `signal`, after `grace` SIGKILL. Returns how it ended.
ContainerExit stop_container(Runtime& runtime, const std::string& id, int signal,
                             std::chrono::milliseconds grace, std::stop_token stop);

}  // namespace slipway::container
