// SPDX-License-Identifier: Apache-2.0
#include "container/dns_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/attend.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::container {
namespace {

constexpr std::size_t kLongestUdp = 4096;
constexpr int kMostAtATime = 64;
constexpr auto kPatience = std::chrono::seconds(3);  // with one upstream

sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &out.sin_addr) != 1)
    fail(Fault::bad_input, "'{}' is no IPv4 address", address);
  return out;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

os::Fd bound_socket(int type, const std::string& address, std::uint16_t port) {
  os::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  auto where = socket_address(address, port);
  if (!socket.is_open() || ::bind(socket.get(), generic(where), sizeof where) != 0 ||
      (type == SOCK_STREAM && ::listen(socket.get(), 64) != 0)) {
    os::throw_errno(fmt::format("listening for DNS on {}:{}", address, port));
  }
  return socket;
}

std::uint16_t port_of(const os::Fd& socket) {
  sockaddr_in where{};
  socklen_t size = sizeof where;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&where), &size);
  return ntohs(where.sin_port);
}

std::pair<std::string, std::uint16_t> split_upstream(const std::string& upstream) {
  auto colon = upstream.find(':');
  if (colon == std::string::npos) return {upstream, 53};
  return {upstream.substr(0, colon),
          static_cast<std::uint16_t>(to_integer(upstream.substr(colon + 1)).value_or(53))};
}

// Read at each question: the host may have moved to another network meanwhile.
std::vector<std::string> host_resolvers() {
  std::vector<std::string> out;
  auto text = os::read_file_if_exists("/etc/resolv.conf").value_or("");
  for (auto line : lines_of(text)) {
    auto words = split(replace_all(std::string(trim(line)), "\t", " "), ' ');
    if (words.size() < 2 || words[0] != "nameserver") continue;
    in_addr ignored{};
    if (::inet_pton(AF_INET, words.back().c_str(), &ignored) == 1) out.push_back(words.back());
  }
  return out;
}

// Waits until `fd` can be read; false when time is up or a stop was asked for.
bool readable(int fd, const StopSignal& wake, const std::stop_token& stop, Deadline deadline) {
  while (!stop.stop_requested() && !deadline.passed()) {
    std::array<pollfd, 2> fds = {{{fd, POLLIN, 0}, {wake.get(), POLLIN, 0}}};
    int n = ::poll(fds.data(), fds.size(),
                   static_cast<int>(deadline.left(std::chrono::hours(1)).count()));
    if (n < 0 && errno != EINTR) return false;
    if (fds[0].revents != 0) return true;
  }
  return false;
}

bool receive_exactly(int fd, char* into, std::size_t size, const StopSignal& wake,
                     const std::stop_token& stop, Deadline deadline) {
  for (std::size_t done = 0; done < size;) {
    if (!readable(fd, wake, stop, deadline)) return false;
    ssize_t n = ::recv(fd, into + done, size - done, 0);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

// A message with its length before it, as on TCP; nothing when the other side is gone or silent.
std::optional<std::string> receive_framed(int fd, const StopSignal& wake,
                                          const std::stop_token& stop, Deadline deadline) {
  std::array<unsigned char, 2> size{};
  if (!receive_exactly(fd, reinterpret_cast<char*>(size.data()), size.size(), wake, stop, deadline))
    return std::nullopt;
  std::string message(static_cast<std::size_t>(size[0]) << 8U | size[1], '\0');
  if (!receive_exactly(fd, message.data(), message.size(), wake, stop, deadline))
    return std::nullopt;
  return message;
}

bool send_framed(int fd, std::string_view message) {
  std::string framed = {static_cast<char>(message.size() >> 8U & 255U),
                        static_cast<char>(message.size() & 255U)};
  framed += message;
  return ::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(framed.size());
}

// One question to one resolver, over the transport on which it came.
std::optional<std::string> ask(const std::string& upstream, std::string_view query, bool tcp,
                               const std::stop_token& stop) {
  auto [address, port] = split_upstream(upstream);
  auto where = socket_address(address, port);
  os::Fd socket(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  timeval patience{3, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience,
               sizeof patience);  // bounds connect() too
  if (::connect(socket.get(), generic(where), sizeof where) != 0) return std::nullopt;
  StopSignal wake(stop);
  auto deadline = Deadline::in(kPatience);
  if (tcp) {
    if (!send_framed(socket.get(), query)) return std::nullopt;
    return receive_framed(socket.get(), wake, stop, deadline);
  }
  if (::send(socket.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) return std::nullopt;
  std::array<char, 65536> answer{};
  while (readable(socket.get(), wake, stop, deadline)) {
    ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (n < 0) return std::nullopt;
    std::string_view bytes(answer.data(), static_cast<std::size_t>(n));
    if (bytes.size() >= 12 && bytes.substr(0, 2) == query.substr(0, 2)) return std::string(bytes);
  }
  return std::nullopt;
}

std::string server_failure(std::string_view query) {
  std::string out(query.substr(0, 12));
  out[2] = static_cast<char>(static_cast<unsigned char>(out[2]) | 0x80U);
  out[3] = static_cast<char>(0x82);  // recursion available, SERVFAIL
  for (std::size_t i = 4; i < 12; ++i) out[i] = 0;
  return out;
}

}  // namespace

struct DnsServer::Sockets {
  os::Fd udp;
  os::Fd tcp;
};

DnsServer::DnsServer(const std::string& address, std::uint16_t port, NameTable names,
                     std::vector<std::string> upstream, Log& log)
    : sockets_(std::make_unique<Sockets>()), upstream_(std::move(upstream)), log_(log) {
  sockets_->udp = bound_socket(SOCK_DGRAM, address, port);
  port_ = port_of(sockets_->udp);
  sockets_->tcp = bound_socket(SOCK_STREAM, address, port_);
  set_names(std::move(names));
}

DnsServer::~DnsServer() = default;

void DnsServer::set_names(NameTable names, DnsZones zones) {
  NameTable lower;
  for (auto& [name, address] : names) lower[to_lower(name)] = address;
  known_.with([&](Known& known) { known = {std::move(lower), std::move(zones)}; });
}

std::string DnsServer::resolve(std::string_view query, bool tcp, const std::stop_token& stop) {
  auto own =
      known_.read([&](const Known& known) { return answer_dns(query, known.names, known.zones); });
  if (own) return *own;
  for (const auto& upstream : upstream_.empty() ? host_resolvers() : upstream_) {
    if (auto answer = ask(upstream, query, tcp, stop)) return *answer;
    log_.debug("dns: no answer from {}", upstream);
  }
  return server_failure(query);
}

void DnsServer::run(std::stop_token stop) {
  TaskGroup tasks(stop);
  Guarded<int> at_work(0);
  // A slow resolver must not hold up the names that we know: each question has a thread, up to a number.
  auto in_a_thread = [&](std::function<void(const std::stop_token&)> work) {
    bool free = at_work.with([](int& count) { return count < kMostAtATime && ++count > 0; });
    if (!free) return;  // the client asks again
    tasks.start([&at_work, work = std::move(work)](const std::stop_token& inner) {
      work(inner);
      at_work.with([](int& count) { --count; });
    });
  };
  StopSignal wake(stop);
  while (!stop.stop_requested()) {
    std::array<pollfd, 3> fds = {{{sockets_->udp.get(), POLLIN, 0},
                                  {sockets_->tcp.get(), POLLIN, 0},
                                  {wake.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) os::throw_errno("poll");
    if (fds[0].revents != 0) serve_udp(in_a_thread);
    if (fds[1].revents != 0) serve_tcp(in_a_thread);
  }
  tasks.stop();
  tasks.join();
}

void DnsServer::serve_udp(const Starter& in_a_thread) {
  std::array<char, kLongestUdp> bytes{};
  sockaddr_in from{};
  socklen_t size = sizeof from;
  ssize_t n = ::recvfrom(sockets_->udp.get(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                         reinterpret_cast<sockaddr*>(&from), &size);
  if (n < 0) return;
  std::string query(bytes.data(), static_cast<std::size_t>(n));
  auto answer = [this, from](const std::string& text) {
    if (!text.empty())
      ::sendto(sockets_->udp.get(), text.data(), text.size(), MSG_NOSIGNAL, generic(from),
               sizeof from);
  };
  if (auto own = known_.read(
          [&](const Known& known) { return answer_dns(query, known.names, known.zones); })) {
    answer(*own);
    return;
  }
  in_a_thread(
      [this, query, answer](const std::stop_token& stop) { answer(resolve(query, false, stop)); });
}

void DnsServer::serve_tcp(const Starter& in_a_thread) {
  int accepted = ::accept4(sockets_->tcp.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted < 0) return;
  auto connection = std::make_shared<os::Fd>(
      accepted);  // owned by the task alone; a std::function must be copyable
  in_a_thread([this, connection](const std::stop_token& stop) {
    StopSignal wake(stop);
    while (auto query = receive_framed(connection->get(), wake, stop,
                                       Deadline::in(std::chrono::seconds(10)))) {
      auto answer = resolve(*query, true, stop);
      if (answer.empty() || !send_framed(connection->get(), answer)) return;
    }
  });
}

}  // namespace slipway::container
