// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "os/fd.hpp"

namespace slipway::container {

/// A program in sealed memory, to be started as /proc/self/fd/N. crun copies itself into such a place and starts anew before every
/// container (CVE-2019-5736) unless it was started from one: half of what it costs to start a container.
///   returns  closed when the kernel has no sealed memory, or the program cannot be read
os::Fd seal_program(const std::string& program);

}  // namespace slipway::container
