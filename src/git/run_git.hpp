// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "git/git.hpp"
#include "os/process.hpp"

namespace slipway::git {

/// Runs git without the system's configuration, prompts, pagers and dangerous transports; repositories of other users are
/// read (a run is root's, the repository is the developer's).
///   repository  where it runs; empty: nowhere in particular
///   env         added to its environment
os::Captured run_git(const Path& repository, std::vector<std::string> arguments,
                     const std::stop_token& stop,
                     Deadline deadline = Deadline::in(std::chrono::minutes(1)),
                     const std::map<std::string, std::string>& env = {},
                     std::string_view input = {});

/// The same; its output without the last line break.
///   throws  Error{unavailable} with git's own last line when it fails
std::string git_output(const Path& repository, std::vector<std::string> arguments,
                       const std::stop_token& stop,
                       Deadline deadline = Deadline::in(std::chrono::minutes(1)),
                       const std::map<std::string, std::string>& env = {});

/// git's last line of complaint, without "fatal: ".
std::string complaint_of(const os::Captured& captured);

}  // namespace slipway::git
