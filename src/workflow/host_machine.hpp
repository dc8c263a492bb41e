// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>

#include "os/drain.hpp"
#include "workflow/job_machine.hpp"
#include "workflow/service_host.hpp"

namespace slipway::workflow {

/// Runs a command as a child of ours with the ladder of signals.
///   left_open  gets its output when others hold it open long after its end
os::Exit run_on_host(const MachineCommand& command, const OutputSink& sink, std::stop_token stop,
                     os::Drain& left_open);
/// Kills what jobs of a run left running on this machine, whether their slipway is still there or not.
///   jobs  the directory that the jobs' own directories are in
void end_left_behind(const std::filesystem::path& jobs);
/// The path of an executable file named `name` in the directories of `path`; `name` itself when it has a slash.
std::optional<std::string> find_in_path(
    const std::string& name, const std::string& path,
    const std::function<std::filesystem::path(const std::string&)>& outside);

/// For `--host`: steps run on this machine itself, in a work directory of their own, with its environment.
class HostMachine : public JobMachine {
 public:
  /// `directory`  the job's own; `services` may be null: then there are none
  HostMachine(const std::filesystem::path& directory, const std::string& repository,
              std::unique_ptr<ServiceHost> services);
  ~HostMachine() override;

  os::Exit exec(const MachineCommand& command, const OutputSink& sink,
                std::stop_token stop) override;
  [[nodiscard]] std::optional<std::string> find_program(const std::string& name,
                                                        const std::string& path) const override;
  [[nodiscard]] std::filesystem::path outside(const std::string& inside) const override {
    return inside;
  }
  [[nodiscard]] const MachinePaths& paths() const override { return paths_; }
  [[nodiscard]] bool is_job_container() const override { return false; }
  [[nodiscard]] const std::map<std::string, std::string>& base_env() const override { return env_; }
  RunningService start_service(const ContainerOrder& order, const OutputSink& sink,
                               std::stop_token stop) override;
  os::Exit run_container(const ContainerOrder& order, const std::vector<std::string>& entrypoint,
                         const std::vector<std::string>& args, const OutputSink& sink,
                         std::stop_token stop) override;

 private:
  MachinePaths paths_;
  std::map<std::string, std::string> env_;
  std::unique_ptr<ServiceHost> services_;
  os::Drain left_open_;
};

/// Machines without containers: for `--host` where there is no runtime, and for tests of the engine.
class PlainHostFactory final : public MachineFactory {
 public:
  std::unique_ptr<JobMachine> make(const MachineOrder& order, const OutputSink& sink,
                                   std::stop_token stop) override;
};

/// The last part of "owner/name": the workspace is work/NAME/NAME.
std::string repository_name(const std::string& repository);

}  // namespace slipway::workflow
