// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "container/bundle.hpp"
#include "container/runtime.hpp"

namespace slipway::container {

// A detached container's directory. Written by its supervisor, read by everybody; each file appears whole:
//   order.json    spec, runtime and cgroup: what the supervisor is to do       (written by start())
//   supervisor    "PID TICKS" of the supervisor
//   running.json  pid and start of the first process
//   exit.json     how it ended
//   log           its output, see log_file.hpp

/// What a supervisor is told.
struct Order {
  ContainerSpec spec;
  RuntimeOptions runtime;
  std::string cgroup;       ///< its path
  bool keep_output = true;  ///< into the log; else stdout and stderr are the supervisor's own
};

formats::Json to_json(const Order& order);
Order order_from_json(const formats::Json& json);

formats::Json to_json(const ContainerExit& exit);
ContainerExit exit_from_json(const formats::Json& json);

/// What a container's directory tells now; nothing when it holds no container.
std::optional<ContainerState> read_state(const std::filesystem::path& directory);

/// Milliseconds since the epoch.
std::int64_t now_ms();

}  // namespace slipway::container
