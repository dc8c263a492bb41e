// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "net/http_connection.hpp"

namespace slipway::net {

std::string ServerRequest::read_body(std::uint64_t most_bytes) const {
  if (body_size && *body_size > most_bytes)
    fail(Fault::bad_input, "the request's body is larger than {} bytes", most_bytes);
  return formats::read_all(*body, most_bytes);
}

struct HttpServer::State {
  std::vector<Listener> listeners;
  HttpHandler handler;
  Log& log;
  HttpServerOptions options;
  os::Fd drain;              // eventfd, readable from the stop on
  std::stop_source give_up;  // after the grace
  // Sockets of running connections, each with its ConnectionContext::waiting_since: of the connection's thread, which takes
  // it out of here before it ends.
  Guarded<std::map<int, std::shared_ptr<std::atomic<std::int64_t>>>> open;

  State(std::vector<Listener> places, HttpHandler serve, Log& where, HttpServerOptions how)
      : listeners(std::move(places)),
        handler(std::move(serve)),
        log(where),
        options(std::move(how)),
        drain(::eventfd(0, EFD_CLOEXEC)) {
    if (!drain.is_open()) os::throw_errno("eventfd");
  }

  void connection(os::Fd socket, const Listener& listener,
                  std::atomic<std::int64_t>& waiting_since);
  void close_one_that_waits();
  void accept_from(const Listener& listener, TaskGroup& connections);
  void accept_until_stopped(const std::stop_token& stop, TaskGroup& connections);
};

namespace {

/// OpenSSL and sendfile write without MSG_NOSIGNAL; on threads of ours a broken pipe is an error of
/// the write.
void block_broken_pipe_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

/// A connection's life, on its own thread.
void HttpServer::State::connection(os::Fd socket, const Listener& listener,
                                   std::atomic<std::int64_t>& waiting_since) {
  block_broken_pipe_signal();
  int number = socket.get();
  struct Registered {
    State& state;
    int number;
    ~Registered() {
      state.open.with([&](auto& sockets) { sockets.erase(number); });
    }
  };
  std::string peer = peer_address(socket);
  ConnectionContext context{handler,
                            options,
                            log,
                            listener.name,
                            listener.tls != nullptr,
                            peer,
                            give_up.get_token(),
                            drain.get(),
                            waiting_since};
  context.wait_begins();
  std::unique_ptr<Stream> stream;
  Registered registered{*this,
                        number};  // ends before the socket closes: its number is not another's yet
  try {
    stream = listener.tls == nullptr
                 ? plain_stream(std::move(socket))
                 : listener.tls->accept(std::move(socket), options.peer_timeout);
  } catch (const Error& error) {
    log.debug("{}: {}", listener.name, error.what());
    return;
  }
  serve_connection(*stream, context);
}

void HttpServer::State::accept_from(const Listener& listener, TaskGroup& connections) {
  os::Fd socket(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.is_open()) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log.warn("accepting a connection: {}", std::strerror(errno));
      pollfd waiting{drain.get(), POLLIN, 0};
      ::poll(&waiting, 1, 100);  // some connection has to end first
    }
    return;
  }
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int number = socket.get();
  auto waiting_since = std::make_shared<std::atomic<std::int64_t>>(
      ConnectionContext::kBusy);  // shared: by the list of connections and the connection
  open.with([&](auto& sockets) { sockets[number] = waiting_since; });
  auto shared = std::make_shared<os::Fd>(
      std::move(socket));  // shared: std::function must be copyable; one owner in fact
  try {
    connections.start([this, shared, &listener, waiting_since](const std::stop_token&) {
      connection(std::move(*shared), listener, *waiting_since);
    });
  } catch (const std::exception& error) {
    open.with([&](auto& sockets) { sockets.erase(number); });
    log.warn("accepting a connection: {}", error.what());
  }
}

// Room for a new connection: the one that has waited longest for a request to be there ends, as if its peer had closed it. A
// request that is just coming in is still read and answered.
void HttpServer::State::close_one_that_waits() {
  open.read([&](const auto& sockets) {
    if (sockets.size() < options.most_connections) return;
    auto longest = std::min_element(
        sockets.begin(), sockets.end(),
        [](const auto& a, const auto& b) { return a.second->load() < b.second->load(); });
    if (longest == sockets.end() || *longest->second == ConnectionContext::kBusy) return;
    ::shutdown(longest->first, SHUT_RD);
    *longest->second = ConnectionContext::kBusy;  // one is enough
  });
}

void HttpServer::State::accept_until_stopped(const std::stop_token& stop, TaskGroup& connections) {
  std::vector<pollfd> waiting;
  for (const Listener& listener : listeners) {
    ::fcntl(listener.socket.get(), F_SETFL, ::fcntl(listener.socket.get(), F_GETFL) | O_NONBLOCK);
    waiting.push_back({listener.socket.get(), POLLIN, 0});
  }
  waiting.push_back({drain.get(), POLLIN, 0});
  constexpr auto kPatience =
      std::chrono::milliseconds(200);  // then another connection may be waiting
  while (!stop.stop_requested()) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) os::throw_errno("poll");
    close_one_that_waits();
    bool has_room = open.wait(
        stop, Deadline::in(kPatience),
        [&](const auto& sockets) { return sockets.size() < options.most_connections; },
        [](const auto&) {});
    if (!has_room) continue;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      if (waiting[i].revents != 0) accept_from(listeners[i], connections);
    }
  }
}

HttpServer::HttpServer(std::vector<Listener> listeners, HttpHandler handler, Log& log,
                       HttpServerOptions options)
    : state_(std::make_unique<State>(std::move(listeners), std::move(handler), log,
                                     std::move(options))) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port(std::size_t index) const {
  return local_port(state_->listeners.at(index).socket);
}

void HttpServer::run(const std::stop_token& stop) {
  State& state = *state_;
  std::stop_callback drain(stop, [&] { ::eventfd_write(state.drain.get(), 1); });
  TaskGroup connections(state.give_up.get_token());
  state.accept_until_stopped(stop, connections);
  for (Listener& listener : state.listeners) listener.socket.reset();
  bool all_ended = state.open.wait(
      {}, Deadline::in(state.options.grace), [](const auto& sockets) { return sockets.empty(); },
      [](const auto&) {});
  if (!all_ended) {
    state.log.warn("cutting {} connections that did not end in time",
                   state.open.read([](const auto& s) { return s.size(); }));
    state.give_up.request_stop();
    state.open.read([](const auto& sockets) {
      for (const auto& [socket, waiting] : sockets) ::shutdown(socket, SHUT_RDWR);
    });
  }
  connections.join();
}

}  // namespace slipway::net
