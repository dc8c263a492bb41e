// SPDX-License-Identifier: Apache-2.0
#include "cli/raw_terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace slipway::cli {

RawTerminal::RawTerminal() {
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
  termios raw = before_;
  ::cfmakeraw(&raw);
  is_raw_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (is_raw_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

bool is_at_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

aws::WindowSize window_size() {
  winsize size{};
  for (int fd : {STDOUT_FILENO, STDIN_FILENO}) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
      return {.rows = size.ws_row, .columns = size.ws_col};
  }
  return {};
}

}  // namespace slipway::cli
