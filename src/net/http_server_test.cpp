// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include "base/guarded.hpp"
#include "net/test_server.hpp"

using namespace slipway;
using namespace slipway::net;

namespace {

int status_of(std::string_view answer) {
  return answer.size() < 12 ? 0 : std::stoi(std::string(answer.substr(9, 3)));
}

std::string body_of(std::string_view answer) {
  auto end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? "" : std::string(answer.substr(end + 4));
}

}  // namespace

TEST_CASE("a request gets its answer, with the headers a response needs") {
  TestServer server;
  std::string answer = server.raw("GET /info?x HTTP/1.1\r\nHost: h:1\r\n\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "http h:1");
  CHECK(answer.find("\r\nContent-Length: 8\r\n") != std::string::npos);
  CHECK(answer.find("\r\nDate: ") != std::string::npos);
  CHECK(answer.find("\r\nServer: slipway\r\n") != std::string::npos);
}

TEST_CASE("requests follow one another on a connection, also sent at once") {
  TestServer server;
  std::string one = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  std::string answer =
      server.raw(one + one + "GET /info HTTP/1.1\r\nHost: z\r\nConnection: close\r\n\r\n", false);
  CHECK(answer.find("abcHTTP/1.1 200") != std::string::npos);
  CHECK(answer.ends_with("http z"));
  CHECK(answer.find("Connection: close") != std::string::npos);
}

TEST_CASE("a chunked body is read whole, and what the handler leaves is dropped") {
  TestServer server;
  std::string chunked =
      "Host: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  std::string answer = server.raw("POST /echo HTTP/1.1\r\n" + chunked + "PUT /early HTTP/1.1\r\n" +
                                  chunked + "GET /info HTTP/1.1\r\nHost: last\r\n\r\n");
  CHECK(answer.find("abcd0123456789HTTP/1.1 401") != std::string::npos);
  CHECK(answer.ends_with("http last"));
}

TEST_CASE("malformed requests are refused and the connection closes") {
  TestServer server;
  struct Case {
    std::string name;
    std::string request;
    int status;
  };
  const std::string next = "GET /info HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::vector<Case> cases = {
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"bad Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"two different lengths",
       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"two equal lengths",
       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"a list of different lengths",
       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 4\r\n\r\nabc", 400},
      {"a signed length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400},
      {"a negative length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
      {"length and chunked",
       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"another encoding",
       "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"a disguised encoding",
       "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
      {"a line without a name", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
      {"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", 400},
      {"another version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 0},
      {"no version", "GET /\r\n\r\n", 400},
      {"a relative target", "GET info HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"an authority as target", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"a control character",
       "GET / HTTP/1.1\r\nHost: h\r\nX: a" + std::string(1, char{0}) + "b\r\n\r\n", 400},
      {"an unknown expectation",
       "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 1\r\n\r\na", 417},
      {"a bad chunk size",
       "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"a chunk longer than its size",
       "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
       400},
      {"endless headers",
       "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n", 431},
      {"a TLS hello on a plain port",
       std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    std::string answer = server.raw(one.request + next);
    if (one.status != 0) CHECK(status_of(answer) == one.status);
    if (one.status == 0) CHECK(status_of(answer) >= 400);
    CHECK(answer.find("HTTP/1.1 200") == std::string::npos);
  }
}

TEST_CASE("an absolute target decides the host") {
  TestServer server;
  CHECK(body_of(server.raw("GET http://other:81/info HTTP/1.1\r\nHost: h\r\n\r\n")) ==
        "http other:81");
}

TEST_CASE("a client that asks first is told to continue, or refused without sending its body") {
  TestServer server;
  auto stream =
      plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10))));
  stream->set_timeout(std::chrono::seconds(10));
  stream->write(
      "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\n");
  std::array<char, 25> first{};
  CHECK(formats::read_fully(*stream, first) == 25);
  CHECK(std::string(first.data(), first.size()) == "HTTP/1.1 100 Continue\r\n\r\n");
  stream->write("hi");
  CHECK(body_of(formats::read_all(*stream)) == "hi");
  std::string refused = server.raw(
      "POST /early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
      false);
  CHECK(status_of(refused) == 401);
}

TEST_CASE("HEAD has a length and no body; 204 and 304 have neither") {
  TestServer server([](ServerRequest& request, ResponseWriter& response) {
    if (request.path == "/blob") {
      response.send({200, {{"Content-Length", "12345"}}, ""});
    } else if (request.path == "/204") {
      response.send({204, {}, ""});
    } else {
      response.start(200, {}, std::nullopt).write("abc");
      response.end();
    }
  });
  std::string blob = server.raw("HEAD /blob HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(blob.find("Content-Length: 12345\r\n") != std::string::npos);
  CHECK(body_of(blob).empty());
  CHECK(server.raw("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n").find("Content-Length") ==
        std::string::npos);
  CHECK(body_of(server.raw("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n")).empty());
  CHECK(body_of(server.raw("GET /x HTTP/1.0\r\n\r\n")) == "abc");
  CHECK(body_of(server.raw("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")) == "3\r\nabc\r\n0\r\n\r\n");
}

TEST_CASE(
    "an error of the handler becomes the status of its fault, and a split header never goes out") {
  TestServer server;
  std::string missing = server.raw("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(status_of(missing) == 404);
  CHECK(body_of(missing) == "no '/nothing' here\n");
  std::string split = server.raw("GET /split HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(status_of(split) == 500);
  CHECK(split.find("Set-Cookie") == std::string::npos);
}

TEST_CASE("a body that is cut short is an error of the request, not a short body") {
  Guarded<std::string> seen;
  TestServer server([&](ServerRequest& request, ResponseWriter& response) {
    try {
      response.send(text_response(200, request.read_body()));
    } catch (const Error& error) {
      seen.with([&](auto& text) { text = error.what(); });
      throw;
    }
  });
  CHECK(status_of(server.raw("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")) ==
        400);
  CHECK(seen.read([](const auto& text) { return text; }) ==
        "the request's body was cut short: 7 bytes are missing");
  CHECK(status_of(server.raw(
            "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")) == 400);
}

TEST_CASE("a large body that nobody reads does not take the response with it") {
  TestServer server;
  std::string big(4'000'000, 'x');
  std::string answer =
      server.raw("PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n" + big, false);
  CHECK(status_of(answer) == 401);
}

TEST_CASE("a large body is read to its last byte however it comes, and the next request follows") {
  TestServer server([](ServerRequest& request, ResponseWriter& response) {
    std::string body = request.read_body();
    response.send(text_response(200, fmt::format("{} {}", body.size(), body.substr(0, 1))));
  });
  auto stream =
      plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10))));
  stream->set_timeout(std::chrono::seconds(10));
  const std::size_t size = (3U << 20) + 7;
  for (std::size_t piece : {size, std::size_t{200'000}, std::size_t{1'000}}) {
    stream->write(fmt::format("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", size));
    for (std::size_t at = 0; at < size; at += piece)
      stream->write(std::string(std::min(piece, size - at), 'x'));
    std::string answer;
    while (!answer.ends_with(" x")) {
      std::array<char, 500> more{};
      std::size_t count = stream->read(more);
      REQUIRE(count > 0);
      answer.append(more.data(), count);
    }
    CHECK(body_of(answer) == fmt::format("{} x", size));
  }
  stream->write("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(body_of(formats::read_all(*stream)) == "0 ");
}

TEST_CASE("a file's range is sent from its offset") {
  os::TempDir directory;
  os::write_file(directory.path() / "f", "0123456789");
  TestServer server([&](ServerRequest&, ResponseWriter& response) {
    os::Fd file = os::open_file(directory.path() / "f", O_RDONLY);
    response.send_file(206, {{"Content-Range", "bytes 2-5/10"}}, file, 2, 4);
  });
  std::string answer = server.raw("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(status_of(answer) == 206);
  CHECK(body_of(answer) == "2345");
}

TEST_CASE("a streamed body that is not as long as announced cuts the connection") {
  TestServer server;
  CHECK(body_of(server.raw("GET /stream?10000 HTTP/1.1\r\nHost: h\r\n\r\n")).size() == 10000);
  std::string cut = server.raw(
      "GET /stream?20000 HTTP/1.1\r\nHost: h\r\n\r\nGET /info HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(body_of(cut).size() == 10000);
}

TEST_CASE("a stop lets idle connections go at once and cuts what hangs after the grace") {
  TestServer server(&answer_tests, nullptr, {.grace = std::chrono::milliseconds(100)});
  auto idle =
      plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10))));
  auto busy =
      plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10))));
  busy->write("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(status_of(server.raw("GET /info HTTP/1.1\r\nHost: h\r\n\r\n")) == 200);
  server.stop();
  std::array<char, 8> rest{};
  CHECK(idle->read(rest) == 0);
  CHECK_THROWS_AS(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(1))), Error);
}

TEST_CASE("who holds all connections, idle or with half a request, does not keep others out") {
  TestServer server(&answer_tests, nullptr, {.most_connections = 4});
  std::vector<std::unique_ptr<Stream>> held;
  for (std::string_view half : {"", "", "GET /", "GET / HTTP/1.1\r\nX: "}) {
    held.push_back(
        plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10)))));
    if (!half.empty()) held.back()->write(half);
  }
  for (int i = 0; i < 8; ++i)
    CHECK(status_of(server.raw("GET /info HTTP/1.1\r\nHost: h\r\n\r\n")) == 200);
}

TEST_CASE("a request whose head comes a byte now and then is given up") {
  TestServer server(&answer_tests, nullptr, {.peer_timeout = std::chrono::milliseconds(300)});
  auto slow =
      plain_stream(connect_tcp(server.address(), {}, Deadline::in(std::chrono::seconds(10))));
  slow->set_timeout(std::chrono::milliseconds(50));
  slow->write("GET /info HTTP/1.1\r\nHost: ");
  std::string answer;
  Deadline deadline = Deadline::in(std::chrono::seconds(20));
  while (answer.size() < 12 && !deadline.passed()) {
    std::array<char, 500> more{};
    try {
      answer.append(more.data(), slow->read(more));
    } catch (const Error&) {  // nothing yet
      slow->write("h");
    }
  }
  CHECK(status_of(answer) == 408);
}
