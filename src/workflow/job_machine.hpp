// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "os/process.hpp"

namespace slipway::workflow {

/// Receives output of a process as it comes; borrowed bytes, any split.
using OutputSink = std::function<void(std::string_view)>;

/// How a cancelled process is asked to go: SIGINT, then SIGTERM, then SIGKILL.
///   source  actions/runner ProcessInvoker.cs
struct StopLadder {
  std::chrono::milliseconds interrupt_grace{7500};
  std::chrono::milliseconds terminate_grace{2500};
};

/// One command inside a job.
struct MachineCommand {
  std::vector<std::string>
      argv;  ///< argv[0] with a slash, or looked up in env's PATH inside the machine
  std::map<std::string, std::string> env;  ///< all of it; nothing is inherited
  std::string cwd;                         ///< a path inside the machine
  StopLadder ladder;
  int stdin_fd = -1;   ///< borrowed; -1: nothing to read
  int stdout_fd = -1;  ///< borrowed; where stdout goes instead of to the sink
  int stderr_fd = -1;  ///< borrowed; likewise; containers only
  bool terminal =
      false;  ///< the three descriptors are a terminal, and the command gets one; containers only
};

/// Where things are, as the job sees them.
struct MachinePaths {
  std::string workspace;   ///< GITHUB_WORKSPACE
  std::string work;        ///< RUNNER_WORKSPACE: the workspace's parent
  std::string temp;        ///< RUNNER_TEMP
  std::string tool_cache;  ///< RUNNER_TOOL_CACHE
  std::string actions;     ///< where fetched actions are put
  std::string home;        ///< HOME
};

/// A container or service image's credentials.
struct RegistryLogin {
  std::string username;
  std::string password;
};

/// `container:` or one of `services:`, evaluated.
struct ContainerOrder {
  std::string id;     ///< the service's key; empty for the job container
  std::string image;  ///< a reference; with `dockerfile` only for people
  std::filesystem::path
      dockerfile{};  ///< of an action, outside: the image is built from it and its directory; empty: none
  std::optional<RegistryLogin> login;
  std::map<std::string, std::string> env;
  std::vector<std::string> ports;    ///< "5432:5432", "6379", "53:53/udp"
  std::vector<std::string> volumes;  ///< "source:target[:ro]"
  std::string
      entrypoint{};  ///< instead of the image's, split as a command line; its command goes with it
  std::string command{};  ///< instead of the image's
  std::string options;    ///< of `docker create`: --health-cmd and its like, --name, -e, …
};

/// What became of a service (the `job.services.ID` context) or of the job's container.
struct RunningService {
  std::string id;                            ///< the container's id
  std::string network;                       ///< the network's name
  std::map<std::string, std::string> ports;  ///< container port -> port the job's steps reach it on
};

/// The machine of one job: steps run in it, services beside it. Destroying it ends every process in it and discards
/// what they changed.
class JobMachine {
 public:
  JobMachine() = default;
  JobMachine(const JobMachine&) = delete;
  JobMachine& operator=(const JobMachine&) = delete;
  virtual ~JobMachine() = default;

  /// Runs a command to its end; stdin is empty, stdout and stderr both go to `sink` in the order they were written.
  ///   stop     asked for: the ladder of signals; the exit then tells the signal or what the process made of it
  ///   throws   Error{not_found} when there is no such program or directory inside
  ///   threads  several calls at a time
  virtual os::Exit exec(const MachineCommand& command, const OutputSink& sink,
                        std::stop_token stop) = 0;
  /// The path of a program inside, looked up in `path` (a PATH).
  [[nodiscard]] virtual std::optional<std::string> find_program(const std::string& name,
                                                                const std::string& path) const = 0;
  /// Where slipway itself finds a path of the machine: for files that it writes for or reads from the job.
  [[nodiscard]] virtual std::filesystem::path outside(const std::string& inside) const = 0;
  [[nodiscard]] virtual const MachinePaths& paths() const = 0;
  /// True inside `container:`; the shell is then sh when none is given.
  [[nodiscard]] virtual bool is_job_container() const = 0;
  /// The environment a process inside starts from (PATH, HOME, LANG, …).
  [[nodiscard]] virtual const std::map<std::string, std::string>& base_env() const = 0;
  /// Starts a service on the job's network and waits until it is healthy (or just runs, without a health check).
  ///   throws  Error{failed} when it ends or stays unhealthy, with its last lines; Error{not_found} without the image
  ///   threads  several calls at a time
  virtual RunningService start_service(const ContainerOrder& order, const OutputSink& sink,
                                       std::stop_token stop) = 0;
  /// Kills all that runs in it, without asking; from any thread. exec() then ends, or throws.
  virtual void kill() {}
  /// A process whose namespaces are the machine's; nothing for a machine without its own.
  [[nodiscard]] virtual std::optional<pid_t> first_process() const { return std::nullopt; }
  /// What it is a container of; nothing for a machine that is none.
  [[nodiscard]] virtual std::optional<ContainerOrder> container() const { return std::nullopt; }
  /// The container that the job asked for, the `job.container` context; nothing without `container:`.
  [[nodiscard]] virtual std::optional<RunningService> job_container() const { return std::nullopt; }
  /// True when nothing of it can meet another job: it may then be destroyed while others run.
  [[nodiscard]] virtual bool is_apart() const { return false; }
  /// Runs a container of `order` to its end on the job's network with the job's directories mounted as GitHub does
  /// (`/github/workspace`, …): for `uses: docker://image` and docker actions.
  virtual os::Exit run_container(const ContainerOrder& order,
                                 const std::vector<std::string>& entrypoint,
                                 const std::vector<std::string>& args, const OutputSink& sink,
                                 std::stop_token stop) = 0;
};

/// What a job asks for.
struct MachineOrder {
  std::string run_id;
  std::string job;                          ///< unique within the run, fit for a file name
  std::vector<std::string> labels;          ///< runs-on
  std::optional<ContainerOrder> container;  ///< container:
  std::vector<ContainerOrder>
      services;  ///< what start_service() will be called with, so that names can be known before
  std::string repository;  ///< "owner/name"; the workspace's last part is the name
  std::filesystem::path
      directory;  ///< exists, the job's own; for its work files and its scratch space
  std::vector<std::string>
      tools;  ///< names of programs that slipway answers on sockets in directory/tools
  bool keeps =
      false;  ///< `directory` may hold an earlier machine, which goes on; its changes stay (views and containers)
};

/// Makes the machines of jobs: the copy-on-write view, the host itself, an image, or a fake.
class MachineFactory {
 public:
  MachineFactory() = default;
  MachineFactory(const MachineFactory&) = delete;
  MachineFactory& operator=(const MachineFactory&) = delete;
  virtual ~MachineFactory() = default;
  /// throws  Error{unavailable, not_found}: the job then fails with that message
  virtual std::unique_ptr<JobMachine> make(const MachineOrder& order, const OutputSink& sink,
                                           std::stop_token stop) = 0;
};

}  // namespace slipway::workflow
