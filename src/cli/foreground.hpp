// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

namespace slipway::cli {

/// True when stdin is a terminal and reading from it would not stop us: we are its foreground.
bool has_terminal_input();

/// Gives our terminal to a process group while it lives, so that its keys and Ctrl-C are that group's. Does nothing when we
/// have no terminal or are not its foreground.
class ForegroundTurn final {
 public:
  explicit ForegroundTurn(pid_t group);
  ForegroundTurn(const ForegroundTurn&) = delete;
  ForegroundTurn& operator=(const ForegroundTurn&) = delete;
  ~ForegroundTurn();

 private:
  pid_t before_ = -1;
};

}  // namespace slipway::cli
