// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <termios.h>

#include "aws/session.hpp"

namespace slipway::cli {

/// While it lives, what is typed on stdin comes byte for byte, Ctrl-C too; the terminal is as before afterwards.
class RawTerminal final {
 public:
  RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  termios before_{};
  bool is_raw_ = false;
};

/// True when stdin and stdout are one user's terminal.
bool is_at_terminal();
/// Of the terminal on stdout, else on stdin, else 24 by 80.
aws::WindowSize window_size();

}  // namespace slipway::cli
