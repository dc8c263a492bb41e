// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.hpp"
#include "formats/io.hpp"
#include "os/fd.hpp"

namespace slipway::net {

/// A connection: bytes both ways. One user at a time.
class Stream : public formats::Reader, public formats::Writer {
 public:
  /// Waits at most this long for the peer in each read or write, then Error{unavailable} "timed
  /// out".
  virtual void set_timeout(std::chrono::milliseconds span) = 0;
  /// As write(), for what more is written after at once: the kernel may wait for it to send both in one packet.
  virtual void write_with_more(std::string_view bytes) { write(bytes); }
  /// Ends our direction (FIN, close_notify); the peer may still send.
  virtual void end_writing() = 0;
  /// The socket, for poll and shutdown(2) from another thread.
  [[nodiscard]] virtual int fd() const = 0;
  /// True when sendfile(2) onto fd() gives the peer those bytes (not TLS).
  [[nodiscard]] virtual bool is_plain() const = 0;
  /// True when bytes that were received wait in memory, where poll cannot see them.
  [[nodiscard]] virtual bool has_buffered() const { return false; }
};

/// A stream over a connected socket.
std::unique_ptr<Stream> plain_stream(os::Fd socket);

/// A listening socket. TCP: `address` "127.0.0.1:0", "[::1]:80"; port 0 lets the kernel choose.
///   throws  Error{unavailable} naming the address and the cause, Error{bad_input} when it is no
///   address
os::Fd listen_tcp(const std::string& address);
/// The same; when somebody else listens there, on a port of the kernel's choice of the same host.
os::Fd listen_tcp_or_near(const std::string& address);
/// A listening unix socket with this mode; a stale file (nobody listens) is replaced.
os::Fd listen_unix(const std::string& path, unsigned mode = 0600);
/// Connects to "host:port" (host: address or name). throws Error{unavailable}, Cancelled
os::Fd connect_tcp(const std::string& address, const std::stop_token& stop, Deadline deadline);
os::Fd connect_unix(const std::string& path);
/// "127.0.0.1:4321", "[::1]:80", "unix:/path": where the socket is bound (local) or whom it talks
/// to (peer).
std::string local_address(const os::Fd& socket);
std::string peer_address(const os::Fd& socket);
/// The port of a TCP socket's own end, 0 otherwise.
std::uint16_t local_port(const os::Fd& socket);

/// True for the addresses of one link, where clouds tell a machine its credentials.
///   source  RFC 3927, RFC 4291 2.5.6; fd00:ec2::/32 is Amazon's
bool is_link_local(const sockaddr& address);

}  // namespace slipway::net
