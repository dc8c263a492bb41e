// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/task_group.hpp"
#include "image/build.hpp"
#include "os/fd.hpp"

namespace slipway::image {

/// An agent of our own (ssh-agent, from OpenSSH) that holds these private keys and ends with the value.
///   throws  Error{bad_input} for a key that cannot be read or has a passphrase; Error{unavailable} where there is no ssh-agent
SshAgent agent_with_keys(std::string id, const std::vector<std::filesystem::path>& keys);

/// A socket in front of an agent, for a user who is not the agent's: an agent talks to its own user only.
///   threads  serves on its own until it is destroyed
class AgentSocket final {
 public:
  /// Listens at `place` with this mode and owner. throws Error{unavailable}
  AgentSocket(const std::filesystem::path& place, std::string agent, unsigned mode, uid_t uid,
              gid_t gid);

 private:
  void serve(const std::stop_token& stop);
  void relay(const os::Fd& client, const std::stop_token& stop) const;

  std::string agent_;
  os::Fd listener_;
  TaskGroup tasks_{std::stop_token{}};  // last: its threads use what is above
};

}  // namespace slipway::image
