// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "os/file.hpp"

namespace slipway::net {

inline Deadline soon() { return Deadline::in(std::chrono::seconds(20)); }

/// What the tests' server answers, by path.
inline void answer_tests(ServerRequest& request, ResponseWriter& response) {
  if (request.path == "/echo") {
    HttpResponse made{200,
                      {{"X-Method", request.method}, {"X-Query", request.query}},
                      request.read_body(64U << 20)};
    if (auto type = request.headers.find("Content-Type")) made.headers.set("Content-Type", *type);
    response.send(made);
  } else if (request.path == "/count") {  // streams the body, says its size
    formats::CountingWriter counter;
    formats::copy_all(*request.body, counter);
    response.send(text_response(200, std::to_string(counter.count())));
  } else if (request.path == "/stream") {
    auto length = request.query.empty() ? std::nullopt
                                        : std::optional<std::uint64_t>(std::stoull(request.query));
    formats::Writer& body = response.start(200, {}, length);
    for (int i = 0; i < 1000; ++i) body.write("0123456789");
    response.end();
  } else if (request.path == "/info") {
    response.send(
        text_response(200, request.listener + " " + request.host + (request.is_tls ? " tls" : "")));
  } else if (request.path == "/early") {
    response.send(text_response(401, "no"));
  } else if (request.path == "/redirect") {
    response.send({302, {{"Location", "/info"}}, "moved"});
  } else if (request.path == "/away") {
    response.send({302, {{"Location", "http://" + request.query + "/headers"}}, ""});
  } else if (request.path == "/headers") {
    response.send(text_response(200, request.headers.get("Authorization", "none")));
  } else if (request.path == "/split") {
    response.send({200, {{"X", "a\r\nSet-Cookie: b"}}, ""});
  } else if (request.path == "/hang") {
    std::stop_callback wake(request.stop, [] {});
    Guarded<int> never;
    never.wait(
        request.stop, Deadline::never(), [](int value) { return value == 1; }, [](int) {});
    throw Cancelled();
  } else {
    fail(Fault::not_found, "no '{}' here", request.path);
  }
}

/// A running server; stops at the end of the test.
class TestServer final {
 public:
  explicit TestServer(HttpHandler handler = &answer_tests, const TlsServer* tls = nullptr,
                      HttpServerOptions options = {.grace = std::chrono::milliseconds(200)})
      : server_(listeners(tls), std::move(handler), log_, std::move(options)),
        port_(server_.port()),
        tasks_(std::stop_token{}) {
    tasks_.start([this](const std::stop_token& stop) { server_.run(stop); });
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() { stop(); }
  void stop() {
    tasks_.stop();
    tasks_.join();
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url(const std::string& target) const {
    return "http://" + address() + target;
  }
  [[nodiscard]] std::string unix_path() const { return directory_.path() / "s"; }
  /// Sends bytes as they are and reads until the server closes.
  [[nodiscard]] std::string raw(std::string_view bytes, bool then_close = true) const {
    auto stream = plain_stream(connect_tcp(address(), {}, Deadline::in(std::chrono::seconds(10))));
    stream->set_timeout(std::chrono::seconds(10));
    stream->write(bytes);
    if (then_close) stream->end_writing();
    return formats::read_all(*stream);
  }

 private:
  std::vector<Listener> listeners(const TlsServer* tls) {
    std::vector<Listener> places;
    places.push_back({listen_tcp("127.0.0.1:0"), tls == nullptr ? "http" : "https", tls});
    places.push_back({listen_unix(unix_path()), "unix", nullptr});
    return places;
  }

  NoLog log_;
  os::TempDir directory_;
  HttpServer server_;
  std::uint16_t port_;
  TaskGroup tasks_;
};

}  // namespace slipway::net
