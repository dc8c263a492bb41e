// SPDX-License-Identifier: Apache-2.0
#include "net/websocket.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/task_group.hpp"

namespace slipway::net {
namespace {

std::vector<WebSocketMessage> read_all_frames(WebSocketEnd end, const std::string& bytes) {
  WebSocketReader reader(end);
  std::vector<WebSocketMessage> out;
  for (char c : bytes) {
    reader.add({&c, 1});
    while (auto message = reader.next()) out.push_back(*message);
  }
  return out;
}

TEST_CASE("a WebSocket's frame of any length is read as it was written, byte for byte") {
  for (std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U}) {
    std::string bytes(size, 'x');
    auto frame = websocket_frame(WebSocketEnd::client, WebSocketCode::binary, bytes);
    auto read = read_all_frames(WebSocketEnd::server, frame);
    REQUIRE(read.size() == 1);
    CHECK(read[0] == WebSocketMessage{WebSocketCode::binary, bytes});
  }
}

TEST_CASE("fragments become one message, a ping between them is told by itself") {
  std::string bytes = "\x01\x03Hel";
  bytes += std::string("\x89\x00", 2);
  bytes += "\x80\x02lo";
  auto read = read_all_frames(WebSocketEnd::client, bytes);
  REQUIRE(read.size() == 2);
  CHECK(read[0].code == WebSocketCode::ping);
  CHECK(read[1] == WebSocketMessage{WebSocketCode::text, "Hello"});
}

TEST_CASE("frames that break the protocol are refused") {
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::server, "\x82\x01x"), Error);  // not masked
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::client, "\xc2\x01x"), Error);  // an extension
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::client, "\x83\x01x"), Error);  // no such code
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::client, "\x80\x01x"), Error);  // continues nothing
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::client, std::string("\x09\x00", 2)), Error);
  CHECK_THROWS_AS(read_all_frames(WebSocketEnd::client, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
                  Error);
}

TEST_CASE("client and server speak through a WebSocket, and see each other's end") {
  NoLog log;
  std::vector<Listener> listeners;
  listeners.push_back({.socket = listen_tcp("127.0.0.1:0")});
  HttpServer server(
      std::move(listeners),
      [](ServerRequest& request, ResponseWriter& response) {
        if (!wants_websocket(request)) return response.send(text_response(400, "no"));
        auto socket = accept_websocket(request, response);
        while (socket->is_open()) {
          for (const auto& message : socket->read()) {
            socket->send(request.query + message.bytes, message.code);
            if (message.bytes == "bye") socket->close();
          }
        }
      },
      log);
  TaskGroup serving{std::stop_token{}};
  serving.start([&](const std::stop_token& stop) { server.run(stop); });
  std::string host = "127.0.0.1:" + std::to_string(server.port());
  auto deadline = Deadline::in(std::chrono::seconds(20));
  auto socket = connect_websocket("ws://" + host + "/x?q", {}, {}, deadline);
  socket->send("one", WebSocketCode::text);
  std::vector<WebSocketMessage> got;
  while (got.empty()) got = socket->read();
  CHECK(got == std::vector<WebSocketMessage>{{WebSocketCode::text, "qone"}});
  socket->send("bye");
  while (socket->is_open()) static_cast<void>(socket->read());
  CHECK_THROWS_AS(connect_websocket("http://" + host + "/", {}, {}, deadline), Error);
  socket.reset();
  serving.stop();
  serving.join();
}

}  // namespace
}  // namespace slipway::net
