// SPDX-License-Identifier: Apache-2.0
#include "container/fd_passing.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace slipway::container {
namespace {

constexpr std::size_t kMostFds = 8;

union ControlSpace {  // aligned as a cmsghdr must be
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int) * kMostFds) + CMSG_SPACE(sizeof(ucred))> bytes;
};

}  // namespace

std::pair<os::Fd, os::Fd> socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    os::throw_errno("socketpair");
  return {os::Fd(ends[0]), os::Fd(ends[1])};
}

void ask_for_senders(const os::Fd& socket) {
  int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    os::throw_errno("setsockopt SO_PASSCRED");
}

bool send_message(const os::Fd& socket, std::string_view bytes, const std::vector<int>& fds) {
  assert(!bytes.empty() && fds.size() <= kMostFds && "an empty message looks like the end");
  iovec part{const_cast<char*>(bytes.data()),
             bytes.size()};  // NOLINT: sendmsg does not write to it
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlSpace control{};
  if (!fds.empty()) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  for (;;) {
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    if (errno != EINTR) os::throw_errno("sendmsg");
  }
}

std::optional<Message> receive_message(const os::Fd& socket) {
  std::array<char, 4096> bytes{};
  iovec part{bytes.data(), bytes.size()};
  ControlSpace control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t n = -1;
  while ((n = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (n < 0 && errno != ECONNRESET) os::throw_errno("recvmsg");
  Message out;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); n >= 0 && header;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
      out.sender = sender.pid;
    }
    if (header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::array<int, kMostFds> fds{};
    std::memcpy(fds.data(), CMSG_DATA(header), sizeof(int) * count);
    for (std::size_t i = 0; i < count; ++i) out.fds.emplace_back(fds[i]);
  }
  if (n <= 0) return std::nullopt;
  out.bytes.assign(bytes.data(), static_cast<std::size_t>(n));
  return out;
}

os::Fd memory_file(std::string_view bytes) {
  os::Fd file(::memfd_create("slipway", MFD_CLOEXEC));
  if (!file.is_open()) os::throw_errno("memfd_create");
  os::write_all(file.get(), bytes);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) os::throw_errno("lseek");
  return file;
}

}  // namespace slipway::container
