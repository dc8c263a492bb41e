// SPDX-License-Identifier: Apache-2.0
#include "container/dns_server.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"

using namespace slipway;
using namespace slipway::container;

namespace {

std::string question(const std::string& name, char type = 1, char opcode = 0) {
  std::string out = {'\x12', '\x34', static_cast<char>(opcode << 3 | 1), 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const auto& label : split(name, '.')) {
    out += static_cast<char>(label.size());
    out += label;
  }
  out += std::string({0, 0, type, 0, 1});
  return out;
}

os::Fd connected(int type, std::uint16_t port) {
  os::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{10, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  return socket;
}

std::string ask(std::uint16_t port, const std::string& query, bool tcp) {
  auto socket = connected(tcp ? SOCK_STREAM : SOCK_DGRAM, port);
  std::string bytes = tcp ? std::string({0, static_cast<char>(query.size())}) + query : query;
  REQUIRE(::send(socket.get(), bytes.data(), bytes.size(), 0) ==
          static_cast<ssize_t>(bytes.size()));
  std::string answer(512, '\0');
  ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), 0);
  REQUIRE(n > 0);
  answer.resize(static_cast<std::size_t>(n));
  return tcp ? answer.substr(2) : answer;
}

std::string address_in(const std::string& answer) {
  if (answer.size() < 16) return "";
  auto at = answer.size() - 4;
  auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(answer[at + i]));
  };
  return fmt::format("{}.{}.{}.{}", byte(0), byte(1), byte(2), byte(3));
}

const NameTable kNames = {{"*.amazonaws.com", "10.1.0.1"},
                          {"special.amazonaws.com", "10.1.0.2"},
                          {"registry.test", "10.1.0.3"}};

}  // namespace

TEST_CASE("the most exact name wins, case and a last dot do not matter") {
  CHECK(look_up(kNames, "sts.us-east-1.amazonaws.com") == "10.1.0.1");
  CHECK(look_up(kNames, "Special.AmazonAWS.com.") == "10.1.0.2");
  CHECK(look_up(kNames, "registry.test") == "10.1.0.3");
  CHECK_FALSE(look_up(kNames, "amazonaws.com").has_value());
  CHECK_FALSE(look_up(kNames, "a.registry.test").has_value());
  CHECK_FALSE(look_up(kNames, "notamazonaws.com").has_value());
}

TEST_CASE("a question for a name of ours is answered by its address, other types by nothing") {
  auto answer = answer_dns(question("ECR.amazonaws.com"), kNames);
  REQUIRE(answer);
  CHECK(address_in(*answer) == "10.1.0.1");
  CHECK(answer->substr(0, 2) == "\x12\x34");
  CHECK((*answer)[7] == 1);
  auto none = answer_dns(question("ecr.amazonaws.com", 28), kNames);
  REQUIRE(none);
  CHECK((*none)[7] == 0);
  CHECK(((*none)[3] & 0xF) == 0);
  CHECK_FALSE(answer_dns(question("example.org"), kNames).has_value());
}

TEST_CASE("a zone answers with several addresses and ports, and says what does not exist") {
  DnsZones zones;
  zones["shop.local"]["api.shop.local"] = {.addresses = {"10.0.0.1", "10.0.0.2", "10.0.0.3"},
                                           .ports = {{"t1.api.shop.local", 8080}},
                                           .ttl = 7,
                                           .most = 2};
  auto answer = answer_dns(question("API.shop.local"), kNames, zones);
  REQUIRE(answer);
  CHECK((*answer)[7] == 2);  // of three
  CHECK(address_in(*answer).starts_with("10.0.0."));
  auto ports = answer_dns(question("api.shop.local", 33), kNames, zones);
  REQUIRE(ports);
  CHECK((*ports)[7] == 1);
  CHECK(ports->ends_with(std::string("\x1f\x90\x02t1\x03"
                                     "api\x04shop\x05local",
                                     20) +
                         '\0'));
  for (const char* name : {"db.shop.local", "x.api.shop.local"}) {
    auto none = answer_dns(question(name), kNames, zones);
    REQUIRE(none);
    CHECK((none->at(3) & 0xF) == 3);
  }
  auto above = answer_dns(question("shop.local"), kNames, zones);
  REQUIRE(above);
  CHECK((above->at(3) & 0xF) == 0);
  CHECK((*above)[7] == 0);
  CHECK_FALSE(answer_dns(question("local"), kNames, zones));
  CHECK_FALSE(answer_dns(question("othershop.local"), kNames, zones));
}

TEST_CASE("what is no question gets an error or nothing") {
  CHECK(answer_dns("short", kNames) == "");
  auto truncated = question("ecr.amazonaws.com").substr(0, 20);
  CHECK((answer_dns(truncated, kNames)->at(3) & 0xF) == 1);
  CHECK((answer_dns(question("a.b", 1, 5), kNames)->at(3) & 0xF) == 4);
  auto answer = question("a.b");
  answer[2] = static_cast<char>(0x80);
  CHECK(answer_dns(answer, kNames) == "");
}

TEST_CASE("a server answers on UDP and TCP, and asks its upstream for what it does not know") {
  NoLog log;
  DnsServer upstream("127.0.0.1", 0, {{"example.org", "10.9.9.9"}}, {"127.0.0.1:1"}, log);
  DnsServer server("127.0.0.1", 0, kNames,
                   {"127.0.0.1:1", fmt::format("127.0.0.1:{}", upstream.port())}, log);
  TaskGroup tasks({});
  tasks.start([&](const std::stop_token& stop) { upstream.run(stop); });
  tasks.start([&](const std::stop_token& stop) { server.run(stop); });
  for (bool tcp : {false, true}) {
    CHECK(address_in(ask(server.port(), question("registry.test"), tcp)) == "10.1.0.3");
    CHECK(address_in(ask(server.port(), question("example.org"), tcp)) == "10.9.9.9");
    CHECK((ask(server.port(), question("nowhere.test"), tcp)[3] & 0xF) == 2);
  }
  server.set_names({{"New.test", "10.0.0.9"}});
  CHECK(address_in(ask(server.port(), question("new.test"), false)) == "10.0.0.9");
  tasks.stop();
  tasks.join();
}
