// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.hpp"

#include "base/guarded.hpp"
#include "net/test_server.hpp"
#include "os/process.hpp"

using namespace slipway;
using namespace slipway::net;

namespace {

/// A reader that makes bytes up.
class Pattern final : public formats::Reader {
 public:
  explicit Pattern(std::uint64_t size) : size_(size), left_(size) {}
  std::size_t read(std::span<char> into) override {
    std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
    std::fill_n(into.begin(), count, 'p');
    left_ -= count;
    return count;
  }
  void rewind() { left_ = size_; }

 private:
  std::uint64_t size_;
  std::uint64_t left_;
};

std::string what(HttpClient& client, const HttpRequest& request, Deadline deadline = soon()) {
  try {
    client.request(request, {}, deadline);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("every method carries its body and its headers") {
  TestServer server;
  HttpClient client;
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    CAPTURE(method);
    std::string body = method == "GET" ? "" : "body of " + method;
    auto response = client.request(
        {method, server.url("/echo?q=1"), {{"Content-Type", "x/y"}, {"X-Empty", ""}}, body}, {},
        soon());
    CHECK(response.status == 200);
    CHECK(response.headers.get("x-method") == method);
    CHECK(response.headers.get("x-query") == "q=1");
    CHECK(response.headers.get("content-type") == "x/y");
    CHECK(response.body == body);
  }
  CHECK(client.request({"POST", server.url("/count")}, {}, soon()).body == "0");
  auto head = client.request({"HEAD", server.url("/info")}, {}, soon());
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(client.request({"GET", server.url("/nothing")}, {}, soon()).status == 404);
}

TEST_CASE("bodies stream both ways, with and without a known length") {
  TestServer server;
  HttpClient client;
  constexpr std::uint64_t kSize = 30'000'000;
  Pattern pattern(kSize);
  Exchange known{.upload = &pattern, .upload_size = kSize, .expect_continue = true};
  CHECK(client.request({"PUT", server.url("/count")}, {}, soon(), known).body ==
        std::to_string(kSize));
  pattern.rewind();
  Exchange chunked{.upload = &pattern};
  CHECK(client.request({"POST", server.url("/count")}, {}, soon(), chunked).body ==
        std::to_string(kSize));
  formats::CountingWriter counter;
  int status = 0;
  Exchange download;
  download.on_head = [&](const HttpResponse& head) {
    status = head.status;
    return &counter;
  };
  CHECK(client.request({"GET", server.url("/stream")}, {}, soon(), download).body.empty());
  CHECK(status == 200);
  CHECK(counter.count() == 10000);
}

TEST_CASE("names lead where the client was told, and the Host header stays") {
  TestServer server;
  HttpClient client({.connect_to = {{"*.dkr.ecr.*.amazonaws.com:80", server.address()}}});
  auto response = client.request(
      {"GET", "http://123456789012.dkr.ecr.us-east-1.amazonaws.com/info"}, {}, soon());
  CHECK(response.body == "http 123456789012.dkr.ecr.us-east-1.amazonaws.com");
  HttpClient local({.unix_socket = server.unix_path()});
  CHECK(local.request({"GET", "http://anything/info"}, {}, soon()).body == "unix anything");
}

TEST_CASE(
    "redirects are answers unless the caller follows them; another host does not get the "
    "credentials") {
  TestServer server;
  HttpClient client;
  CHECK(client.request({"GET", server.url("/redirect")}, {}, soon()).status == 302);
  CHECK(client.request({"GET", server.url("/redirect")}, {}, soon(), {.redirects = 1}).body ==
        "http " + server.address());
  Headers secret{{"Authorization", "secret"}};
  CHECK(client
            .request({"GET", server.url("/away?" + server.address()), secret}, {}, soon(),
                     {.redirects = 3})
            .body == "secret");
  HttpClient other({.connect_to = {{"other:80", server.address()}}});
  CHECK(other.request({"GET", server.url("/away?other"), secret}, {}, soon(), {.redirects = 3})
            .body == "none");
}

TEST_CASE("what goes wrong says where: refused, timed out, cut, too large, no URL") {
  TestServer server;
  HttpClient client;
  std::string closed = local_address(listen_tcp("127.0.0.1:0"));
  CHECK(what(client, {"GET", "http://" + closed + "/"}).find("GET http://" + closed + "/: ") == 0);
  CHECK(what(client, {"GET", server.url("/hang")}, Deadline::in(std::chrono::milliseconds(50))) ==
        "GET " + server.url("/hang") + ": timed out");
  CHECK(what(client, {"GET", server.url("/stream?20000")})
            .find("GET " + server.url("/stream?20000")) == 0);
  CHECK(what(client, {"GET", "nowhere"}) == "'nowhere' is no http or https URL");
  CHECK(what(client, {"GET", server.url("/info"), {{"X", "a\r\nb"}}}) ==
        "the request header 'X' holds a line end");
  CHECK_THROWS_WITH(
      client.request({"GET", server.url("/stream")}, {}, soon(), {.most_body_bytes = 100}),
      "the response is larger than 100 bytes");
  CHECK(client.request({"GET", server.url("/info")}, {}, soon()).ok());
}

TEST_CASE("a stop ends a request that waits") {
  TestServer server;
  HttpClient client;
  std::stop_source source;
  TaskGroup tasks{std::stop_token{}};
  tasks.start([&](const std::stop_token&) { source.request_stop(); });
  CHECK_THROWS_AS(client.request({"GET", server.url("/hang")}, source.get_token(), soon()),
                  Cancelled);
  tasks.join();
}

TEST_CASE("what an upload or a download throws comes out of the request") {
  TestServer server;
  HttpClient client;
  class Broken final : public formats::Reader {
   public:
    std::size_t read(std::span<char>) override { fail(Fault::failed, "the source broke"); }
  } broken;
  CHECK_THROWS_WITH(client.request({"PUT", server.url("/count")}, {}, soon(),
                                   {.upload = &broken, .upload_size = 10}),
                    "the source broke");
}

TEST_CASE(
    "TLS: certificates are issued for the names asked for, and trusted through the authority's "
    "file only") {
  os::TempDir directory;
  auto authority = CertificateAuthority::load_or_create(directory.path(), "slipway test");
  auto again = CertificateAuthority::load_or_create(directory.path(), "slipway test");
  CHECK(again.certificate_pem() == authority.certificate_pem());
  TlsServer tls(authority, {"*.amazonaws.com", "localhost"});
  TestServer server(&answer_tests, &tls);
  std::string ca = directory.path() / "ca.crt";
  HttpClient client({.connect_to = {{"*:443", server.address()}}, .ca_file = ca});
  auto response =
      client.request({"GET", "https://api.ecr.us-east-1.amazonaws.com/info"}, {}, soon());
  CHECK(response.body == "https api.ecr.us-east-1.amazonaws.com tls");
  CHECK(
      client
          .request({"PUT", "https://localhost/count", {}, std::string(3'000'000, 'x')}, {}, soon())
          .body == "3000000");
  CHECK(client.request({"GET", "https://" + server.address() + "/info"}, {}, soon()).status == 200);
  CHECK(what(client, {"GET", "https://example.com/info"}).find("https://example.com/info: ") !=
        std::string::npos);
  HttpClient stranger({.connect_to = {{"*:443", server.address()}}});
  CHECK(what(stranger, {"GET", "https://localhost/info"}).find("certificate") != std::string::npos);
}

TEST_CASE("OpenSSL's own tool accepts what the authority issues") {
  os::TempDir directory;
  auto authority = CertificateAuthority::load_or_create(directory.path(), "slipway test");
  auto issued =
      authority.issue(std::vector<std::string>{"*.example.com", "example.com", "127.0.0.1", "::1"});
  os::write_file(directory.path() / "leaf.crt", issued.certificate);
  auto verify = os::capture({.argv = {"openssl", "verify", "-x509_strict", "-purpose", "sslserver",
                                      "-verify_hostname", "a.example.com", "-CAfile",
                                      directory.path() / "ca.crt", directory.path() / "leaf.crt"}},
                            {}, soon());
  CHECK(verify.exit.ok());
  CHECK(verify.err.empty());
  auto shown = os::capture({.argv = {"openssl", "x509", "-noout", "-ext", "subjectAltName", "-in",
                                     directory.path() / "leaf.crt"}},
                           {}, soon());
  CHECK(
      shown.out.find(
          "DNS:*.example.com, DNS:example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1") !=
      std::string::npos);
  CHECK_THROWS_AS(CertificateAuthority::load(authority.key_pem(),
                                             CertificateAuthority::create("x").certificate_pem()),
                  Error);
  CHECK_THROWS_AS(CertificateAuthority::load("nonsense", authority.certificate_pem()), Error);
}

TEST_CASE("link-local addresses are refused in every spelling, and behind redirects") {
  TestServer server([](ServerRequest& request, ResponseWriter& response) {
    if (request.path == "/there")
      return response.send({302, {{"Location", "http://169.254.169.254/latest/meta-data/"}}, ""});
    response.send(text_response(200, "here"));
  });
  HttpClient client({.refuse_link_local = true});
  CHECK(client.request({.url = server.url("/")}, {}, soon()).body == "here");
  for (const std::string& url :
       {std::string("http://169.254.169.254/latest/"), std::string("http://0xa9fea9fe/"),
        std::string("http://2852039166/"), std::string("http://0251.0376.0251.0376/"),
        std::string("http://[::ffff:169.254.169.254]/"), std::string("http://[fe80::1]/"),
        std::string("http://[fd00:ec2::254]/"), server.url("/there")}) {
    CAPTURE(url);
    try {
      client.request({.url = url}, {}, soon(), {.redirects = 3});
      FAIL_CHECK("it was asked");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::denied);
    }
  }
}

TEST_CASE("many threads share one client") {
  TestServer server;
  HttpClient client;
  std::atomic<int> good = 0;
  TaskGroup tasks{std::stop_token{}};
  for (int i = 0; i < 8; ++i) {
    tasks.start([&, i](const std::stop_token& stop) {
      for (int j = 0; j < 20; ++j) {
        std::string body = fmt::format("{} {}", i, j);
        if (client.request({"POST", server.url("/echo"), {}, body}, stop, soon()).body == body)
          ++good;
      }
    });
  }
  tasks.join();
  CHECK(good == 160);
}
