// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "container/bundle.hpp"
#include "container/private_mounts.hpp"
#include "os/process.hpp"

namespace slipway::container {

/// A container whose runtime program runs, attached.
struct StartedContainer {
  std::string id;  ///< as the runtime program knows it
  std::string cgroup;
  std::filesystem::path bundle;
  std::optional<MountStubs> stubs;
  os::Process process;
};

/// A runtime program started before its container is known, so that its start and a mount namespace for it (half of the time that a
/// short container takes) are had while another container runs. Its config.json is a named pipe: the program waits for what we will
/// write. When that is known, the real file takes the pipe's name (crun reads it twice) and the pipe gets the same bytes.
/// If we die, the pipe ends and the program with it.
///   threads  one caller; a thread of its own lives in the namespace
class WarmRuntime final {
 public:
  /// Begins; returns at once. For crun.
  explicit WarmRuntime(const Places& places);
  WarmRuntime(const WarmRuntime&) = delete;
  WarmRuntime& operator=(const WarmRuntime&) = delete;
  /// Ends what was not used.
  ~WarmRuntime();

  /// Makes the container of it. Nothing when the program did not come up: the caller starts one as usual.
  ///   throws  as make_bundle()
  std::optional<StartedContainer> use(const ContainerSpec& spec);

 private:
  struct State {
    const ContainerSpec* spec = nullptr;
    std::optional<StartedContainer> started;
  };
  void work(const std::stop_token& stop);
  void give(const ContainerSpec& spec, const os::Fd& pipe, os::Process process);

  Places places_;
  std::string id_;
  std::string cgroup_;
  std::filesystem::path bundle_;
  bool was_taken_ = false;  // the bundle is the caller's
  Guarded<State> state_;
  TaskGroup group_;  // last: its thread uses what is above
};

}  // namespace slipway::container
