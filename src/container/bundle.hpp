// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "container/crun_runtime.hpp"
#include "container/spec.hpp"
#include "os/fd.hpp"

namespace slipway::container {

/// Where the containers of one state directory keep their things, and how their runtime is called.
struct Places {
  std::filesystem::path detached;  ///< STATE/containers: a directory each
  std::filesystem::path attached;  ///< a directory each, gone after a reboot
  std::filesystem::path root;      ///< the runtime program's own state
  std::string short_id;
  std::string program;
  std::string sealed;   ///< the program once more, see seal_program(); empty: there is none
  bool is_crun = true;  ///< understands --cgroup-manager=disabled

  /// The cgroup that an attached container gets: none where the state directory's own keeps it from devices (cgroup v1).
  [[nodiscard]] std::string attached_cgroup(const std::string& id) const;
  /// Makes the directories and the confinement that containers need.
  ///   returns  to be held as long as they are used: remove_empty() leaves them alone then
  [[nodiscard]] os::Fd prepare() const;
  /// A file that every user of the directories holds a shared lock on.
  [[nodiscard]] std::filesystem::path users() const { return root.parent_path() / "users"; }

  static Places of(const RuntimeOptions& options);
  /// The runtime's command line up to and without its own verb; what it has to say against it goes to `log` as JSON.
  [[nodiscard]] std::vector<std::string> command(const std::filesystem::path& log,
                                                 bool has_cgroup) const;
};

/// Makes in `bundle` all that the runtime needs and mounts the root at bundle/rootfs; to be called with private mounts.
///   cgroup_path  empty for none
///   returns      the spec as it was written, mounts resolved
ContainerSpec make_bundle(const ContainerSpec& spec, const std::filesystem::path& bundle,
                          const std::string& cgroup_path);

/// What the runtime's log says went wrong, as an Error of the right kind.
Error runtime_error(const std::filesystem::path& log, const std::string& otherwise);

/// What a supervisor or init reported, "FAULT MESSAGE", as an Error; with `otherwise` when it is not of that form.
Error reported_error(std::string_view said, const std::string& otherwise);

/// The pid in a --pid-file, when it is there and whole.
std::optional<pid_t> read_pid(const std::filesystem::path& file);

/// The environment that the runtime program itself gets.
std::map<std::string, std::string> runtime_environment();

/// This process, so that others can see later whether it still lives: "PID TICKS".
std::string owner_mark();
/// True while the process that wrote the mark lives.
bool is_owner_alive(const std::string& mark);

}  // namespace slipway::container
