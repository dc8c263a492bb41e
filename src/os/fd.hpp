// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace slipway::os {

/// Owns a file descriptor; close-on-exec from birth. -1 when empty.
class Fd final {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  /// Gives the descriptor away.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

/// A pipe, both ends close-on-exec.
Pipe make_pipe();
/// Opens with O_CLOEXEC added. throws Error{not_found} for ENOENT, else Error{unavailable}.
Fd open_file(const std::string& path, int flags, unsigned mode = 0644);
/// A duplicate, close-on-exec.
Fd duplicate(int fd);
/// Everything until the end.
std::string read_all(int fd);
/// All bytes or Error{unavailable}.
void write_all(int fd, std::string_view bytes);
/// Raises the number of descriptors that this process may have open as far as it may; returns it. Children inherit it.
std::size_t raise_descriptor_limit();
/// "what: strerror(errno)" as Error{unavailable} (not_found for ENOENT and ESRCH, denied for EACCES and EPERM).
[[noreturn]] void throw_errno(std::string_view what);

}  // namespace slipway::os
