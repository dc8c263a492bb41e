// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/fd.hpp"

namespace slipway::container {

/// Two connected sockets that keep message boundaries and tell when the other end is closed.
std::pair<os::Fd, os::Fd> socket_pair();

/// Sends one message (not empty) with descriptors (borrowed, at most 8); false when the other end is closed.
bool send_message(const os::Fd& socket, std::string_view bytes, const std::vector<int>& fds = {});

struct Message {
  std::string bytes;
  std::vector<os::Fd> fds;  ///< close-on-exec
  pid_t sender = 0;         ///< as seen from here; 0 without ask_for_senders()
};

/// From now on messages that are received here tell which process sent them, wherever it lives.
///   source  unix(7), SO_PASSCRED
void ask_for_senders(const os::Fd& socket);

/// Waits for one message; nothing when the other end is closed.
std::optional<Message> receive_message(const os::Fd& socket);

/// `bytes` in a memory file, to be sent along: messages are limited in size, it is not.
os::Fd memory_file(std::string_view bytes);

}  // namespace slipway::container
