// SPDX-License-Identifier: Apache-2.0
#include "net/stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/error.hpp"
#include "net/url.hpp"

namespace slipway::net {
namespace {

/// A socket address of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

class PlainStream final : public Stream {
 public:
  explicit PlainStream(os::Fd socket) : socket_(std::move(socket)) {}

  std::size_t read(std::span<char> into) override {
    for (;;) {
      ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) refuse("reading from");
    }
  }
  void write(std::string_view bytes) override { send(bytes, 0); }
  void write_with_more(std::string_view bytes) override { send(bytes, MSG_MORE); }
  void set_timeout(std::chrono::milliseconds span) override {
    timeval time{span.count() / 1000, static_cast<suseconds_t>(span.count() % 1000 * 1000)};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }
  void end_writing() override { ::shutdown(socket_.get(), SHUT_WR); }
  [[nodiscard]] int fd() const override { return socket_.get(); }
  [[nodiscard]] bool is_plain() const override { return true; }

 private:
  void send(std::string_view bytes, int flags) {
    while (!bytes.empty()) {
      ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) refuse("writing to");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  [[noreturn]] void refuse(std::string_view doing) const {
    int error = errno;
    bool is_late = error == EAGAIN || error == EWOULDBLOCK;
    fail(Fault::unavailable, "{} {}: {}", doing, peer_address(socket_),
         is_late ? "timed out" : std::strerror(error));
  }
  os::Fd socket_;
};

Address numeric_address(const HostPort& where) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (::inet_pton(AF_INET, where.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(where.port);
    address.size = sizeof(sockaddr_in);
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET6, where.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(where.port);
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  fail(Fault::bad_input, "'{}' is no address to listen on; give one such as 127.0.0.1:8080",
       where.host);
}

Address unix_address(const std::string& path) {
  Address address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  local->sun_family = AF_UNIX;
  if (path.size() >= sizeof local->sun_path)
    fail(Fault::bad_input, "the socket's path '{}' is too long", path);
  std::memcpy(local->sun_path, path.c_str(), path.size() + 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

os::Fd make_socket(int family, int more = 0) {
  os::Fd made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | more, 0));
  if (!made.is_open()) os::throw_errno("making a socket");
  return made;
}

std::string print(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4->sin_port));
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6->sin6_port));
  }
  const auto* local = reinterpret_cast<const sockaddr_un*>(&address.storage);
  bool has_path = address.size > offsetof(sockaddr_un, sun_path) && local->sun_path[0] != '\0';
  return std::string("unix:") + (has_path ? local->sun_path : "");
}

/// Waits until a connect that was begun has ended; its errno.
int finish_connect(const os::Fd& socket, const std::stop_token& stop, Deadline deadline) {
  for (;;) {
    if (stop.stop_requested()) throw Cancelled();
    if (deadline.passed()) return ETIMEDOUT;
    pollfd waiting{socket.get(), POLLOUT, 0};
    // A connect that hangs is rare: looking at the stop token five times a second is enough.
    auto span = deadline.left(std::chrono::milliseconds(200));
    if (::poll(&waiting, 1, static_cast<int>(span.count())) > 0) break;
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

std::unique_ptr<Stream> plain_stream(os::Fd socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

namespace {

// Nothing when the address is taken and `may_be_taken`.
std::optional<os::Fd> try_listen_tcp(const std::string& address, bool may_be_taken) {
  auto where = parse_host_port(address);
  if (!where)
    fail(Fault::bad_input, "'{}' is no address to listen on; give one such as 127.0.0.1:8080",
         address);
  Address bound = numeric_address(*where);
  os::Fd made = make_socket(bound.storage.ss_family);
  int on = 1;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bound.storage.ss_family == AF_INET6)
    ::setsockopt(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(made.get(), bound.get(), bound.size) != 0 || ::listen(made.get(), 1024) != 0) {
    if (may_be_taken && errno == EADDRINUSE) return std::nullopt;
    fail(Fault::unavailable, "listening on {}: {}", address, std::strerror(errno));
  }
  return made;
}

}  // namespace

os::Fd listen_tcp(const std::string& address) { return *try_listen_tcp(address, false); }

os::Fd listen_tcp_or_near(const std::string& address) {
  auto made = try_listen_tcp(address, true);
  return made ? std::move(*made) : listen_tcp(address.substr(0, address.rfind(':')) + ":0");
}

os::Fd listen_unix(const std::string& path, unsigned mode) {
  Address bound = unix_address(path);
  {
    os::Fd probe = make_socket(AF_UNIX);
    if (::connect(probe.get(), bound.get(), bound.size) == 0) {
      fail(Fault::unavailable, "listening on {}: another process does", path);
    }
    if (errno == ECONNREFUSED) ::unlink(path.c_str());
  }
  os::Fd made = make_socket(AF_UNIX);
  if (::bind(made.get(), bound.get(), bound.size) != 0 || ::chmod(path.c_str(), mode) != 0 ||
      ::listen(made.get(), 1024) != 0) {
    fail(Fault::unavailable, "listening on {}: {}", path, std::strerror(errno));
  }
  return made;
}

os::Fd connect_tcp(const std::string& address, const std::stop_token& stop, Deadline deadline) {
  auto where = parse_host_port(address);
  if (!where || where->port == 0)
    fail(Fault::bad_input, "'{}' is no address to connect to; give one such as 127.0.0.1:8080",
         address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (int code =
          ::getaddrinfo(where->host.c_str(), std::to_string(where->port).c_str(), &hints, &list);
      code != 0) {
    fail(Fault::unavailable, "connecting to {}: {}", address, ::gai_strerror(code));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(list, &::freeaddrinfo);
  int error = ENOENT;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    os::Fd made = make_socket(one->ai_family, SOCK_NONBLOCK);
    error = ::connect(made.get(), one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = finish_connect(made, stop, deadline);
    if (error != 0) continue;
    ::fcntl(made.get(), F_SETFL, 0);  // blocking from here on
    int on = 1;
    ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
  }
  fail(Fault::unavailable, "connecting to {}: {}", address, std::strerror(error));
}

os::Fd connect_unix(const std::string& path) {
  Address peer = unix_address(path);
  os::Fd made = make_socket(AF_UNIX);
  if (::connect(made.get(), peer.get(), peer.size) != 0) {
    fail(Fault::unavailable, "connecting to {}: {}", path, std::strerror(errno));
  }
  return made;
}

std::string local_address(const os::Fd& socket) {
  Address address;
  if (::getsockname(socket.get(), address.get(), &address.size) != 0) return "";
  return print(address);
}

std::string peer_address(const os::Fd& socket) {
  Address address;
  if (::getpeername(socket.get(), address.get(), &address.size) != 0) return "the peer";
  return print(address);
}

std::uint16_t local_port(const os::Fd& socket) {
  auto where = parse_host_port(local_address(socket));
  return where ? where->port : std::uint16_t{0};
}

bool is_link_local(const sockaddr& address) {
  auto is_metadata = [](std::uint32_t v4) { return v4 >> 16 == 0xa9fe; };  // 169.254/16
  if (address.sa_family == AF_INET)
    return is_metadata(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family != AF_INET6) return false;
  const auto* bytes = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr;
  auto word = [&](int at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
  };
  bool is_mapped = word(0) == 0 && word(4) == 0 && (word(8) == 0xffff || word(8) == 0);
  return (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || word(0) == 0xfd000ec2 ||
         (is_mapped && is_metadata(word(12)));
}

}  // namespace slipway::net
