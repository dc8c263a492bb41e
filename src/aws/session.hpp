// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "aws/credentials.hpp"
#include "formats/json.hpp"

namespace slipway::aws {

struct WindowSize {
  unsigned rows = 24;
  unsigned columns = 80;
  bool operator==(const WindowSize&) const = default;
};

/// What a session is joined to. Everything is called on the thread of run_session().
struct SessionEnds {
  int input_fd = -1;  ///< what is typed, read until its end; borrowed; -1: nothing
  std::function<bool()> takes_input = [] { return true; };  ///< false: the input waits
  std::string end_of_input;  ///< typed when the input has ended: Ctrl-D
  std::function<void(std::string_view)> output;
  std::function<WindowSize()> window = [] { return WindowSize{}; };  ///< asked again and again
};

/// Holds a Session Manager session, as ecs:ExecuteCommand answers it, until the other end closes it.
///   session  sessionId, streamUrl, tokenValue
///   returns  what the agent said at its end, mostly nothing
///   throws   Error{unavailable} when there is no connection or it breaks; Error{unsupported} when the session is to be encrypted by
///            KMS; Cancelled
///   source   aws/session-manager-plugin
std::string run_session(const Config& config, const formats::Json& session, const SessionEnds& ends,
                        const std::stop_token& stop);

}  // namespace slipway::aws
