// SPDX-License-Identifier: Apache-2.0
#include "workflow/host_machine.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/attend.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

// Reads what a process writes until `over` says that it has ended, then what others still write who hold the pipe open, for
// kLeftOpen at most. False when they hold it longer.
bool pump(int from, int over, const OutputSink& sink) {
  std::optional<Deadline> end;
  for (;;) {
    bool is_last = end && end->passed();
    pollfd fds[2] = {{from, POLLIN, 0}, {end ? -1 : over, POLLIN, 0}};
    int timeout = end ? static_cast<int>(end->left().count()) : -1;
    if (::poll(fds, 2, timeout) < 0 && errno != EINTR) return true;
    if (fds[0].revents != 0 && !container::pass_on(from, sink)) return true;
    if (is_last) return false;
    if (fds[1].revents != 0) end = Deadline::in(container::kLeftOpen);
  }
}

constexpr std::string_view kTrackingId = "RUNNER_TRACKING_ID";

// What the tracking ids of all jobs of a run begin with, made of the directory that their own directories are in.
std::string tracking_prefix(const std::filesystem::path& jobs) {
  auto path = std::filesystem::absolute(jobs).lexically_normal().string();
  return fmt::format("slipway_{}_", formats::sha256_hex(path).substr(0, 16));
}

// Kills every process whose tracking id began so when it began: what a job left behind and did not take out of it.
//   source  actions/runner JobExtension.cs, "Cleaning up orphan processes"
void kill_tracked(const std::string& prefix) {
  auto wanted = fmt::format("{}={}", kTrackingId, prefix);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    auto pid = to_integer(entry.path().filename().string());
    if (!pid || *pid == ::getpid()) continue;
    os::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(*pid), 0)));
    if (!process.is_open()) continue;
    std::optional<std::string> environment;
    try {
      environment = os::read_file_if_exists(entry.path() / "environ");
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): another user's is none of ours
    }
    auto variables = split(environment.value_or(""), '\0');
    if (std::any_of(variables.begin(), variables.end(),
                    [&](const auto& variable) { return variable.starts_with(wanted); }))
      ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }
}

os::Exit wait_with_ladder(os::Process& process, const StopLadder& ladder,
                          const std::stop_token& stop) {
  try {
    return *process.wait(stop, Deadline::never());
  } catch (const Cancelled&) {
    process.signal_leader(SIGINT);
    if (auto exit = process.wait({}, Deadline::in(ladder.interrupt_grace))) return *exit;
    process.signal_leader(SIGTERM);
    if (auto exit = process.wait({}, Deadline::in(ladder.terminate_grace))) return *exit;
    process.signal(SIGKILL);
    return *process.wait({}, Deadline::never());
  }
}

}  // namespace

void end_left_behind(const std::filesystem::path& jobs) { kill_tracked(tracking_prefix(jobs)); }

os::Exit run_on_host(const MachineCommand& command, const OutputSink& sink, std::stop_token stop,
                     os::Drain& left_open) {
  if (!command.cwd.empty() && !std::filesystem::is_directory(command.cwd)) {
    fail(Fault::not_found,
         "An error occurred trying to start process '{}' with working directory '{}'. No such file "
         "or directory",
         command.argv.front(), command.cwd);
  }
  auto output = os::make_pipe();
  auto over = os::make_pipe();
  auto process = os::Process::spawn(
      {.argv = command.argv,
       .env = command.env,
       .cwd = command.cwd,
       .stdin_fd = command.stdin_fd,
       .stdout_fd = command.stdout_fd < 0 ? output.write.get() : command.stdout_fd,
       .stderr_fd = output.write.get()});
  output.write.reset();
  TaskGroup reader(std::stop_token{});
  reader.start([&](const std::stop_token&) {
    if (!pump(output.read.get(), over.read.get(), sink)) left_open.take(std::move(output.read));
  });
  auto exit = wait_with_ladder(process, command.ladder, stop);
  over.write.reset();
  reader.join();
  return exit;
}

std::optional<std::string> find_in_path(
    const std::string& name, const std::string& path,
    const std::function<std::filesystem::path(const std::string&)>& outside) {
  if (name.find('/') != std::string::npos) return name;
  for (const auto& directory : split(path, ':')) {
    if (directory.empty()) continue;
    auto candidate = directory + "/" + name;
    auto place = outside(candidate);
    std::error_code error;
    if (::access(place.c_str(), X_OK) == 0 && !std::filesystem::is_directory(place, error))
      return candidate;
  }
  return std::nullopt;
}

std::string repository_name(const std::string& repository) {
  auto slash = repository.rfind('/');
  auto name = slash == std::string::npos ? repository : repository.substr(slash + 1);
  return name.empty() ? "repository" : name;
}

HostMachine::HostMachine(const std::filesystem::path& directory, const std::string& repository,
                         std::unique_ptr<ServiceHost> services)
    : env_(os::environment()), services_(std::move(services)) {
  auto work = std::filesystem::absolute(directory) / "work";
  auto name = repository_name(repository);
  paths_ = {.workspace = work / name / name,
            .work = work / name,
            .temp = work / "_temp",
            .tool_cache = work / "_tool",
            .actions = work / "_actions",
            .home = env_.contains("HOME") ? env_.at("HOME") : "/"};
  for (const auto& path : {paths_.workspace, paths_.temp}) os::make_dirs(path);
  auto job = std::filesystem::absolute(directory).lexically_normal();
  // The colon ends it: no job's name has one, and none is another's beginning then.
  env_[std::string(kTrackingId)] =
      tracking_prefix(job.parent_path()) + job.filename().string() + ":";
}

HostMachine::~HostMachine() {
  try {
    kill_tracked(env_.at(std::string(kTrackingId)));
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): nobody is left to be told
  }
}

os::Exit HostMachine::exec(const MachineCommand& command, const OutputSink& sink,
                           std::stop_token stop) {
  auto path = command.env.find("PATH");
  auto resolved = command;
  auto program = find_program(command.argv.front(), path == command.env.end() ? "" : path->second);
  if (!program) fail(Fault::not_found, "{}: command not found", command.argv.front());
  resolved.argv.front() = *program;
  return run_on_host(resolved, sink, std::move(stop), left_open_);
}

std::optional<std::string> HostMachine::find_program(const std::string& name,
                                                     const std::string& path) const {
  return find_in_path(name, path,
                      [](const std::string& inside) { return std::filesystem::path(inside); });
}

RunningService HostMachine::start_service(const ContainerOrder& order, const OutputSink& sink,
                                          std::stop_token stop) {
  if (!services_)
    fail(Fault::unsupported, "services need a container runtime, and this run has none");
  return services_->start(order, {}, sink, std::move(stop));
}

os::Exit HostMachine::run_container(const ContainerOrder& order, const std::vector<std::string>&,
                                    const std::vector<std::string>&, const OutputSink&,
                                    std::stop_token) {
  fail(Fault::unsupported, "'docker://{}' is not supported yet with --host", order.image);
}

std::unique_ptr<JobMachine> PlainHostFactory::make(const MachineOrder& order, const OutputSink&,
                                                   std::stop_token) {
  if (order.container)
    fail(Fault::unsupported, "'container:' does not go together with running on the host itself");
  return std::make_unique<HostMachine>(order.directory, order.repository, nullptr);
}

}  // namespace slipway::workflow
