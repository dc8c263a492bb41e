// SPDX-License-Identifier: Apache-2.0
#include "container/runtime.hpp"

#include <signal.h>

#include "base/error.hpp"

namespace slipway::container {

Usage Runtime::usage(const std::string&) { return {}; }

ContainerExit stop_container(Runtime& runtime, const std::string& id, int signal,
                             std::chrono::milliseconds grace, std::stop_token stop) {
  runtime.kill(id, signal);
  if (auto exit = runtime.wait(id, stop, Deadline::in(grace))) return *exit;
  runtime.kill(id, SIGKILL);
  // A killed container ends at once unless the kernel holds it; its end is waited for even when we are to stop.
  if (auto exit = runtime.wait(id, {}, Deadline::in(std::chrono::seconds(10)))) return *exit;
  fail(Fault::unavailable, "container '{}' does not end, not even by SIGKILL", id);
}

}  // namespace slipway::container
