// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/calls.hpp"

namespace slipway::deploy {

/// A command line that ECS splits into these words again, and that a shell would too.
std::string quote_words(const std::vector<std::string>& words);

/// A command between two marks in a session's output, for a session tells no exit code. Runs by the container's /bin/sh.
class MarkedCommand final {
 public:
  /// `echoes`: the terminal shows what is typed, as a user at a terminal wants it.
  MarkedCommand(std::vector<std::string> words, bool echoes);
  /// For ecs:ExecuteCommand.
  [[nodiscard]] std::string line() const;
  /// Takes the session's output as it comes; returns what of it the command printed.
  std::string take(std::string_view bytes);
  /// The command runs (or has run): it reads what is typed.
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  /// Nothing while its end was not seen.
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }
  /// What was held back: with no end seen, it is the command's too; with no beginning, it says why.
  [[nodiscard]] const std::string& rest() const { return held_; }

 private:
  std::vector<std::string> words_;
  bool echoes_;
  std::string mark_;
  std::string held_;
  bool has_begun_ = false;
  std::optional<int> exit_code_;
};

/// A session that ECS opened in a task.
struct OpenSession {
  std::string task;       ///< ARN
  std::string container;  ///< name
  formats::Json session;  ///< sessionId, streamUrl, tokenValue
};

/// Opens a session in the newest running task of a service.
///   task       its id or ARN; empty: the newest
///   container  empty: the task's only one
///   throws     Error{not_found} when none runs; Error saying what to change when ECS refuses
OpenSession open_session(Calls& calls, const std::string& cluster, const std::string& service,
                         const std::string& task, const std::string& container,
                         const std::string& command, const std::stop_token& stop);

}  // namespace slipway::deploy
