// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "os/fd.hpp"

namespace slipway::os {

/// How a process ended.
struct Exit {
  int code = 0;    ///< 0-255 when it exited by itself, else 0
  int signal = 0;  ///< the signal that ended it, else 0
  [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
  /// As a shell shows it: the code, or 128 + signal.
  [[nodiscard]] int status() const { return signal != 0 ? 128 + signal : code; }
  bool operator==(const Exit&) const = default;
};

/// "exit code 3", "signal 9 (Killed)".
std::string to_string(Exit exit);

/// What to start. argv[0] is looked up in PATH when it has no slash; never a shell.
struct Command {
  std::vector<std::string> argv;
  std::optional<std::map<std::string, std::string>>
      env;             ///< nothing: this process's own environment
  std::string cwd;     ///< empty: this process's own
  int stdin_fd = -1;   ///< borrowed; -1: /dev/null
  int stdout_fd = -1;  ///< borrowed; -1: to run()'s sink, or /dev/null with no sink
  int stderr_fd = -1;  ///< borrowed; -1: the same place as stdout
  /// More descriptors for the child: {ours (borrowed), its number there}.
  std::vector<std::pair<int, int>> inherit;
  bool own_session = false;  ///< setsid: survives our terminal; else only its own process group
};

/// Owns a child process and its process group; destroying it kills the group and reaps the child.
class Process final {
 public:
  /// Starts `command` by posix_spawn. throws Error{not_found} when there is no such program, Error{unavailable} otherwise.
  static Process spawn(const Command& command);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Readable when the process has ended; for poll().
  [[nodiscard]] const Fd& pidfd() const { return pidfd_; }
  /// The read end of the child's stdout (and stderr), when Command left them -1.
  [[nodiscard]] const Fd& output() const { return output_; }
  /// Gives that end away.
  [[nodiscard]] Fd take_output() { return std::move(output_); }
  /// Sends a signal to the whole group; does nothing when the process has been reaped.
  void signal(int number) const;
  /// To the process alone, as a runner of GitHub's does.
  void signal_leader(int number) const;
  /// How it ended, or nothing when `deadline` passed first. throws Cancelled when `stop` was asked for.
  std::optional<Exit> wait(const std::stop_token& stop, Deadline deadline);
  /// Feeds `sink` with the output until the process ends. When stopped or past the deadline: SIGTERM to the group, after
  /// `grace` SIGKILL.
  ///   throws  Cancelled when `stop` ended it, Error{failed} "timed out" when the deadline did
  Exit run(const std::stop_token& stop, Deadline deadline, std::chrono::milliseconds grace,
           const std::function<void(std::string_view)>& sink = {});
  /// Leaves the process running on its own (its parent is then init or a subreaper); for daemons with own_session.
  pid_t detach();

 private:
  Process(pid_t pid, Fd pidfd, Fd output);
  Exit reap();
  std::optional<Exit> poll_once(int wake, std::chrono::milliseconds span,
                                const std::function<void(std::string_view)>& sink);

  pid_t pid_ = -1;
  Fd pidfd_;
  Fd output_;
  std::optional<Exit> exit_;
};

/// What a short command printed.
struct Captured {
  Exit exit;
  std::string out;
  std::string err;
};

/// Runs a command to its end and keeps both outputs; `input` goes to its stdin.
Captured capture(Command command, const std::stop_token& stop, Deadline deadline,
                 std::string_view input = {});

/// The path of a program in PATH (or itself when it holds a slash and is executable).
std::optional<std::string> find_program(std::string_view name);
/// A copy of this process's environment.
std::map<std::string, std::string> environment();
/// Waits until a process that need not be our child has ended (or is another one by now); false when the deadline passed first.
///   throws  Cancelled
bool wait_until_gone(pid_t pid, unsigned long long start_ticks, const std::stop_token& stop,
                     Deadline deadline);
/// True while a process with this pid exists and its start time (clock ticks since boot) is the one given.
bool is_alive(pid_t pid, unsigned long long start_ticks);
/// Field 22 of /proc/PID/stat: tells a process from a later one with the same pid. Nothing when there is none.
std::optional<unsigned long long> start_ticks(pid_t pid);

}  // namespace slipway::os
