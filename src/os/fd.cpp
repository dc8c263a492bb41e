// SPDX-License-Identifier: Apache-2.0
#include "os/fd.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/reason.hpp"

namespace slipway::os {
namespace {

// What a descriptor was opened as, for messages; "" for what has no path.
std::string path_behind(int fd) {
  std::array<char, 4096> path{};
  ssize_t length =
      ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path.data(), path.size());
  return length > 0 && path[0] == '/' ? std::string(path.data(), static_cast<std::size_t>(length))
                                      : "";
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw_errno("getrlimit");
  rlimit raised{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return limit.rlim_cur;
}

void throw_errno(std::string_view what) {
  int error = errno;
  Fault fault = error == ENOENT || error == ESRCH   ? Fault::not_found
                : error == EACCES || error == EPERM ? Fault::denied
                                                    : Fault::unavailable;
  fail(fault, "{}: {}", what, reason_of(error));
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
  for (;;) {
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return Fd(fd);
    if (errno != EINTR) throw_errno("opening '" + path + "'");
  }
}

Fd duplicate(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw_errno("duplicating a descriptor");
  return Fd(copy);
}

std::string read_all(int fd) {
  std::string out;
  std::array<char, 65536> chunk{};
  for (;;) {
    ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read");
    if (n == 0) return out;
    out.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int error = errno;
      std::string path = path_behind(fd);
      errno = error;
      throw_errno(path.empty() ? "write" : "writing '" + path + "'");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace slipway::os
