// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "container/runtime.hpp"

namespace slipway::container {

/// Where and with what containers run.
struct RuntimeOptions {
  std::filesystem::path state;   ///< slipway's state directory; containers live in state/containers
  std::string program = "crun";  ///< any OCI runtime with crun's command line; runc works too
  /// The program that supervises detached containers, started as `SUPERVISOR container-shim DIR`.
  std::filesystem::path supervisor = "/proc/self/exe";
};

/// A Runtime on an OCI runtime program. Each container gets a bundle directory and a mount namespace of its own. Where cgroup
/// v1 is mixed with a cgroup2 mount that holds a controller (which crun 1.8 refuses), the mount is covered in that namespace.
/// What a killed slipway of this state directory left is swept first.
///   throws  Error{unavailable} with what to install or do when the program is missing or we are not root
std::unique_ptr<Runtime> make_crun_runtime(const RuntimeOptions& options);

/// The supervisor of one detached container: `argv` is {_, "container-shim", DIR}. To be called by main() before anything else.
/// Becomes a subreaper, starts the container described in DIR/spec.json, writes its output into DIR/log with times, waits for it
/// and writes DIR/exit.json.
///   returns  the process's exit code
int run_shim(int argc, char** argv);

}  // namespace slipway::container
