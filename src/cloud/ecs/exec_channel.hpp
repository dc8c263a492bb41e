// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "net/websocket.hpp"

namespace slipway::container {
class Runtime;
}

namespace slipway::cloud::ecs {

/// A command to run in a container once its caller opens the session's data channel.
struct ExecOrder {
  std::string session;  ///< "ecs-execute-command-…"
  std::string token;
  std::string runtime_id;  ///< of the container
  std::vector<std::string> argv;
  std::string who;  ///< the caller's ARN
  std::int64_t created_ms = 0;
};

/// Sessions that ExecuteCommand opened and nobody has connected to yet. They live in memory: a token is of no use to a later process.
///   threads  any
class ExecSessions final {
 public:
  /// Draws session id and token.
  ExecOrder open(ExecOrder order);
  /// The order of a session, once; nothing when there is none, or it waited too long.
  std::optional<ExecOrder> take(const std::string& session);

 private:
  Guarded<std::vector<ExecOrder>> waiting_;
};

/// The words of a command line as the ECS agent splits it: white space, single and double quotes, backslashes; no shell.
///   returns  nothing when a quote is not closed
///   source   amazon-ssm-agent's container mode splits by Go's shlex
std::optional<std::vector<std::string>> split_command(const std::string& command);

/// Speaks the agent's side of the session protocol and runs the command on a terminal in the container until it ends, the caller goes, or
/// nothing was typed or printed for 20 minutes.
void serve_exec(net::WebSocket& socket, const ExecOrder& order, container::Runtime& runtime,
                Log& log, const std::stop_token& stop);

}  // namespace slipway::cloud::ecs
