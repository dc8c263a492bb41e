// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "container/crun_runtime.hpp"
#include "container/runtime.hpp"

namespace slipway::container {

/// This program inside a view.
inline constexpr const char* kSlipwayInside = "/run/slipway/init";

/// What a copy-on-write view of this machine is to look like.
struct HostViewOptions {
  std::string id;  ///< as ContainerSpec::id
  std::filesystem::path
      directory;  ///< exists; takes the changes and what the view needs; hidden inside the view
  std::vector<MountPoint> mounts;  ///< workspace, temp directory and their like
  /// Paths that are empty (directories) or absent (files) inside, besides home directories, /tmp, /run, host keys and the state directory.
  std::vector<std::string> hidden;
  NetworkChoice network;
  std::string hostname = "runner";
  std::string hosts;       ///< more lines for /etc/hosts
  std::string nameserver;  ///< the only one in /etc/resolv.conf; empty: the host's resolv.conf
  std::string trusted_certificates;  ///< PEM, added to the system's CA bundle inside; may be empty
  std::map<std::string, std::string>
      programs;  ///< path inside -> text: scripts that the view has beside the machine's own
  bool keeps_changes =
      false;  ///< what `directory` holds of an earlier view is there again, and stays at the end
  Limits limits;
};

/// A long-lived container whose root is an overlay on this machine's own `/`: own mount, pid, ipc, uts and network
/// namespaces, empty home directories, none of the host's credentials. Commands start in it within milliseconds. What is
/// changed inside is gone at the end; nothing reaches the host. It ends with the object, or with us, whichever is first.
class HostView final {
 public:
  /// throws  Error{unavailable, bad_input}
  HostView(const RuntimeOptions& runtime, const HostViewOptions& options);
  HostView(const HostView&) = delete;
  HostView& operator=(const HostView&) = delete;
  /// Kills every process in it and removes what it changed.
  ~HostView();

  /// Runs a command to its end. `exec.argv[0]` is looked up in PATH inside the view.
  ///   stop     asked for: exec.stop_steps
  ///   returns  the exit, a signal told as such
  ///   throws   Error{not_found} without such a program or directory; Error{unavailable} when the view is gone
  ///   threads  several calls at a time
  os::Exit exec(const ExecSpec& exec, const RunIo& io, std::stop_token stop);
  /// Where we find a path of the view: the source of a bind mount, else a path that leads into the running container.
  [[nodiscard]] std::filesystem::path outside(const std::string& inside) const;
  /// The path of a program inside, looked up in `path` (a PATH).
  [[nodiscard]] std::optional<std::string> find_program(const std::string& name,
                                                        const std::string& path) const;
  /// The first process of the view, in our pid namespace.
  [[nodiscard]] pid_t pid() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

/// The first process of a HostView: `argv` is {_, "container-init"}. To be called by main() before anything else. Starts what
/// it is asked to through descriptor 3, reaps every orphan, ends when the descriptor's other end is closed.
int run_init(int argc, char** argv);

}  // namespace slipway::container
