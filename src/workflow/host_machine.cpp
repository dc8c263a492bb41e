// SPDX-License-Identifier: Apache-2.0
#include "workflow/host_machine.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

// Reads what a process writes until `over` says that it has ended, then what is still in the pipe; a grandchild that keeps the
// pipe open is not waited for.
void pump(int from, int over, const OutputSink& sink) {
  std::array<char, 65536> buffer{};
  bool ended = false;
  for (;;) {
    pollfd fds[2] = {{from, POLLIN, 0}, {over, POLLIN, 0}};
    int ready = ::poll(fds, ended ? 1 : 2, ended ? 0 : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    if (fds[0].revents != 0) {
      auto count = ::read(from, buffer.data(), buffer.size());
      if (count <= 0) return;
      sink({buffer.data(), static_cast<std::size_t>(count)});
    } else if (!ended && fds[1].revents != 0) {
      ended = true;
    }
  }
}

os::Exit wait_with_ladder(os::Process& process, const StopLadder& ladder,
                          const std::stop_token& stop) {
  try {
    return *process.wait(stop, Deadline::never());
  } catch (const Cancelled&) {
    process.signal(SIGINT);
    if (auto exit = process.wait({}, Deadline::in(ladder.interrupt_grace))) return *exit;
    process.signal(SIGTERM);
    if (auto exit = process.wait({}, Deadline::in(ladder.terminate_grace))) return *exit;
    process.signal(SIGKILL);
    return *process.wait({}, Deadline::never());
  }
}

}  // namespace

os::Exit run_on_host(const MachineCommand& command, const OutputSink& sink, std::stop_token stop) {
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
  reader.start([&](const std::stop_token&) { pump(output.read.get(), over.read.get(), sink); });
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
}

os::Exit HostMachine::exec(const MachineCommand& command, const OutputSink& sink,
                           std::stop_token stop) {
  auto path = command.env.find("PATH");
  auto resolved = command;
  auto program = find_program(command.argv.front(), path == command.env.end() ? "" : path->second);
  if (!program) fail(Fault::not_found, "{}: command not found", command.argv.front());
  resolved.argv.front() = *program;
  return run_on_host(resolved, sink, std::move(stop));
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
