// SPDX-License-Identifier: Apache-2.0
#include "cli/foreground.hpp"

#include <signal.h>
#include <unistd.h>

namespace slipway::cli {
namespace {

// A background process that sets the foreground group is stopped by SIGTTOU unless it blocks that.
void give_terminal(pid_t group) {
  sigset_t out{};
  sigset_t before{};
  sigemptyset(&out);
  sigaddset(&out, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &out, &before);
  ::tcsetpgrp(STDIN_FILENO, group);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

bool has_terminal_input() {
  return ::isatty(STDIN_FILENO) == 1 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

ForegroundTurn::ForegroundTurn(pid_t group) {
  if (!has_terminal_input()) return;
  before_ = ::tcgetpgrp(STDIN_FILENO);
  give_terminal(group);
}

ForegroundTurn::~ForegroundTurn() {
  if (before_ > 0) give_terminal(before_);
}

}  // namespace slipway::cli
