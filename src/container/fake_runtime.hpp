// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "container/runtime.hpp"

namespace slipway::container {

/// A Runtime for tests: nothing is started; the test says how containers behave. Logs are real files below `directory`.
class FakeRuntime final : public Runtime {
 public:
  explicit FakeRuntime(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Called for run(), and for exec() with the container's spec and argv replaced; prints to the sink, returns the exit.
  std::function<os::Exit(const ContainerSpec&, const OutputSink&)> on_run =
      [](const auto&, const auto&) { return os::Exit{}; };
  /// Called by start() before the container counts as running; may throw what a real one would.
  std::function<void(const ContainerSpec&)> on_start = [](const auto&) {};
  /// Called by kill(): true (the default for SIGTERM and SIGKILL) ends the container by that signal.
  std::function<bool(const std::string&, int)> on_kill = [](const auto&, int signal) {
    return signal == 15 || signal == 9;
  };

  /// Ends a detached container as if its process had.
  void end(const std::string& id, ContainerExit exit);
  /// Adds a line to a detached container's log.
  void log(const std::string& id, const std::string& text, bool is_stderr = false);
  /// The specs given to start() and run() so far.
  [[nodiscard]] std::vector<ContainerSpec> started() const;

  ContainerExit run(const ContainerSpec& spec, const RunIo& io, const StopSteps& steps,
                    std::stop_token stop, Deadline deadline) override;
  ContainerState start(const ContainerSpec& spec) override;
  std::optional<ContainerState> state(const std::string& id) override;
  std::vector<ContainerState> list() override;
  std::optional<ContainerExit> wait(const std::string& id, std::stop_token stop,
                                    Deadline deadline) override;
  bool kill(const std::string& id, int signal) override;
  void remove(const std::string& id) override;
  os::Exit exec(const std::string& id, const ExecSpec& exec, const RunIo& io, std::stop_token stop,
                Deadline deadline) override;

 private:
  struct World {
    std::map<std::string, ContainerState> containers;
    std::map<std::string, ContainerSpec> specs;
    std::vector<ContainerSpec> started;
  };
  std::filesystem::path directory_;
  Guarded<World> world_;
};

}  // namespace slipway::container
