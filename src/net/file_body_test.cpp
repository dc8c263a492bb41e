// SPDX-License-Identifier: Apache-2.0
// A file as a request's body: by sendfile without TLS, through libcurl with it.
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/sha256.hpp"
#include "net/test_server.hpp"
#include "os/fd.hpp"

using namespace slipway;
using namespace slipway::net;

namespace {

struct File {
  os::Fd fd{::memfd_create("body", MFD_CLOEXEC)};
  std::string content;
  explicit File(std::size_t size) : content(size, '\0') {
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>('a' + i * i % 23);
    os::write_all(fd.get(), content);
  }
  [[nodiscard]] Exchange exchange() const {
    Exchange made;
    made.file = {.fd = fd.get(), .size = content.size(), .progress = {}};
    return made;
  }
};

/// A peer that answers one request by `answer` after it has read `wanted` bytes, then closes.
class Peer final {
 public:
  Peer(std::string answer, std::size_t wanted)
      : listener_(listen_tcp("127.0.0.1:0")), tasks_(std::stop_token{}) {
    tasks_.start([this, answer = std::move(answer), wanted](const std::stop_token&) {
      os::Fd taken(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      auto stream = plain_stream(std::move(taken));
      std::string some(wanted, '\0');
      formats::read_fully(*stream, some);
      stream->write(answer);
      stream->end_writing();
      formats::CountingWriter rest;  // closing with unread bytes would reset the connection
      formats::copy_all(*stream, rest);
    });
  }
  [[nodiscard]] std::string url() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return fmt::format("http://127.0.0.1:{}/x", ntohs(address.sin_port));
  }

 private:
  os::Fd listener_;
  TaskGroup tasks_;
};

std::string refusal_of(const HttpRequest& request, const Exchange& exchange) {
  HttpClient client;
  try {
    client.request(request, {}, soon(), exchange);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a file goes up as it is, however large, and progress is told") {
  TestServer server;
  HttpClient client;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{20'000'000}}) {
    CAPTURE(size);
    File file(size);
    Exchange exchange = file.exchange();
    std::vector<std::uint64_t> told;
    exchange.file->progress = [&](std::uint64_t bytes) { told.push_back(bytes); };
    auto response = client.request({"PUT", server.url("/echo?q=1"), {{"Content-Type", "x/y"}}}, {},
                                   soon(), exchange);
    CHECK(response.status == 200);
    CHECK(response.headers.get("X-Method") == "PUT");
    CHECK(response.headers.get("X-Query") == "q=1");
    CHECK(response.headers.get("Content-Type") == "x/y");
    CHECK(formats::sha256_hex(response.body) == formats::sha256_hex(file.content));
    CHECK(std::ranges::is_sorted(told));
    CHECK((size < 8'000'000 || told.size() >= 2));
  }
  // Names that lead elsewhere, as with curl.
  File file(1000);
  HttpClient elsewhere({.connect_to = {{"a.test:80", server.address()}}});
  CHECK(elsewhere.request({"PUT", "http://a.test/count"}, {}, soon(), file.exchange()).body ==
        "1000");
}

TEST_CASE("an answer that comes before the file is sent counts") {
  TestServer server;
  HttpClient client;
  File file(30'000'000);
  CHECK(client.request({"PUT", server.url("/early")}, {}, soon(), file.exchange()).status == 401);
  Peer refuses("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!", 1000);
  auto response = client.request({"PUT", refuses.url()}, {}, soon(), file.exchange());
  CHECK(response.status == 413);
  CHECK(response.body == "no!");
}

TEST_CASE("every form of an answer to a file is read") {
  File file(10);
  HttpClient client;
  auto answer = [&](std::string text) {
    Peer peer(std::move(text), 10);
    return client.request({"PUT", peer.url()}, {}, soon(), file.exchange());
  };
  CHECK(answer("HTTP/1.1 201 Created\r\nLocation: /y\r\n\r\n").headers.get("Location") == "/y");
  CHECK(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n").status == 204);
  CHECK(
      answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
          .body == "abc");
  CHECK(answer("HTTP/1.0 200 OK\r\n\r\nto the end").body == "to the end");
}

TEST_CASE("what goes wrong with a file says where") {
  TestServer server;
  File file(3'000'000);
  Peer silent("", 10);
  CHECK(refusal_of({"PUT", silent.url()}, file.exchange()).find("PUT " + silent.url()) == 0);
  Peer babbles("hello\r\n\r\n", 10);
  CHECK(refusal_of({"PUT", babbles.url()}, file.exchange()).find("no answer of HTTP") !=
        std::string::npos);
  Peer cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 10);
  CHECK(refusal_of({"PUT", cut.url()}, file.exchange()).find("partial message") !=
        std::string::npos);
  Exchange longer = file.exchange();
  longer.file->size += 1;
  CHECK(refusal_of({"PUT", server.url("/count")}, longer).find("cut short") != std::string::npos);
  HttpRequest split{"PUT", server.url("/count"), {{"A", "b\r\nC: d"}}};
  CHECK(refusal_of(split, file.exchange()).ends_with("the request header 'A' holds a line end"));
}

TEST_CASE("a stop ends the sending of a file") {
  TestServer server;
  File file(30'000'000);
  HttpClient client;
  std::stop_source source;
  TaskGroup tasks{std::stop_token{}};
  tasks.start([&](const std::stop_token&) { source.request_stop(); });
  CHECK_THROWS_AS(
      client.request({"PUT", server.url("/hang")}, source.get_token(), soon(), file.exchange()),
      Cancelled);
}
