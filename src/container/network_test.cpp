// SPDX-License-Identifier: Apache-2.0
#include "container/network.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/address_pool.hpp"
#include "container/leftovers.hpp"
#include "container/port_rules.hpp"
#include "container/test_machine.hpp"
#include "formats/json.hpp"

using namespace slipway;
using namespace slipway::container;
using namespace std::chrono_literals;
using testing::Machine;

TEST_CASE("a filter is sets, a chain for each policy and a verdict for each member") {
  BridgeFilter filter;
  filter.sets = {{"sg_1", {"10.0.0.5", "10.0.0.6"}}, {"sg_2", {}}};
  filter.policies["p"] = {.in = {{.protocol = "tcp",
                                  .first_port = 80,
                                  .last_port = 81,
                                  .ranges = {"10.1.0.0/16"},
                                  .sets = {"sg_1"}}},
                          .out = {{.ranges = {"0.0.0.0/0"}}}};
  filter.members = {{"10.0.0.5", "p"}};
  filter.resolver = "10.0.0.1";
  std::string text = bridge_filter_table("slipway_x", filter);
  for (const char* line :
       {"add element bridge slipway_x sg_1 { 10.0.0.5, 10.0.0.6 }",
        "add rule bridge slipway_x in_p tcp dport 80-81 ip saddr 10.1.0.0/16 return",
        "add rule bridge slipway_x in_p tcp dport 80-81 ip saddr @sg_1 return",
        "add rule bridge slipway_x in_p drop", "add rule bridge slipway_x out_p return",
        "add element bridge slipway_x incoming { 10.0.0.5 : jump in_p }",
        "add rule bridge slipway_x check ip daddr 10.0.0.1 udp dport 53 accept"}) {
    CHECK_MESSAGE(text.find(std::string(line) + "\n") != std::string::npos, line);
  }
  CHECK(text.find("add element bridge slipway_x sg_2") == std::string::npos);
  filter.members = {{"10.0.0.5; drop", "p"}};
  CHECK_THROWS_AS(bridge_filter_table("slipway_x", filter), Error);
}

TEST_CASE("connections to a shared port are spread over its targets") {
  std::string text = shared_table(
      "t",
      {{"127.255.0.1", 80, {{"10.0.0.1", 8000}, {"10.0.0.2", 8001}}}, {"127.255.0.2", 81, {}}});
  CHECK(text.find(
            "ip daddr 127.255.0.1 tcp dport 80 numgen random mod 2 0 dnat to 10.0.0.1:8000\n") !=
        std::string::npos);
  CHECK(text.find("ip daddr 127.255.0.1 tcp dport 80 dnat to 10.0.0.2:8001\n") !=
        std::string::npos);
  CHECK(text.find("127.255.0.2") == std::string::npos);
  CHECK_THROWS_AS(shared_table("t", {{"127.255.0.1", 80, {{"nowhere", 1}}}}), Error);
}

TEST_CASE("what listens in a namespace is known by its port") {
  NEEDS_CONTAINERS();
  Machine machine;
  Network network({.state = machine.options.state, .name = "listen", .transient = true});
  auto server = network.attach("server");
  CHECK(listening_ports(server.netns).empty());
  os::Fd socket;
  in_namespace(server.netns, [&] {
    socket = os::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(5432);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(socket.get(), 1) == 0);
  });
  CHECK(listening_ports(server.netns) == std::set<std::uint16_t>{5432});
  CHECK(listening_ports("/proc/self/ns/net") != std::set<std::uint16_t>{5432});
  network.remove();
}

TEST_CASE("address ranges are read, written and compared") {
  CHECK(to_string(parse_range("10.213.7.9/16")) == "10.213.0.0/16");
  CHECK_THROWS_AS(parse_range("10.213.0.0"), Error);
  CHECK_THROWS_AS(parse_range("10.213.0/16"), Error);
  CHECK(parse_range("10.0.0.0/8").overlaps(parse_range("10.213.4.0/24")));
  CHECK_FALSE(parse_range("10.213.5.0/24").overlaps(parse_range("10.213.4.0/24")));
  CHECK_FALSE(parse_address("10.0.0.256").has_value());
}

TEST_CASE("a subnet is taken that no route of the host leads to") {
  auto taken = routed_ranges(
      "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
      "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n"
      "br0\t0000D50A\t00000000\t0001\t0\t0\t0\t00FEFFFF\t0\n");
  CHECK(taken == std::vector<Range>{parse_range("10.213.0.0/23")});
  auto pool = parse_range("10.213.0.0/16");
  CHECK(to_string(*free_subnet(pool, taken, 0)) == "10.213.2.0/24");
  CHECK(to_string(*free_subnet(pool, taken, 255)) == "10.213.255.0/24");
  CHECK(to_string(*free_subnet(pool, taken, 256)) == "10.213.2.0/24");
  CHECK_FALSE(free_subnet(parse_range("10.213.0.0/24"), taken, 5).has_value());
}

TEST_CASE("published ports become rules for local and for foreign connections") {
  auto text = forward_table("slipway_x", {{"127.0.0.1", 5432, "10.0.0.5", 5432, false},
                                          {"0.0.0.0", 53, "10.0.0.6", 5353, true}});
  CHECK(text.find("ip daddr 127.0.0.1 tcp dport 5432 dnat to 10.0.0.5:5432") != std::string::npos);
  CHECK(text.find("fib daddr type local udp dport 53 dnat to 10.0.0.6:5353") != std::string::npos);
  CHECK(forward_table("slipway_x", {}) == "table ip slipway_x\ndelete table ip slipway_x\n");
  CHECK_THROWS_AS(forward_table("t", {{"localhost; drop", 1, "10.0.0.5", 1, false}}), Error);
}

TEST_CASE(
    "containers on a network reach each other and the host, and published ports work on both "
    "sides") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  Network network({.state = machine.options.state, .name = "test"});
  auto server = network.attach("server");
  auto client = network.attach("client");
  CHECK(server.address != client.address);
  CHECK(network.attach("server").address == server.address);
  auto spec = machine.shell("server", "while :; do echo hello | nc -l -p 80; done");
  spec.user = {1000, 1000, {}};  // port 80 all the same
  spec.network = {.kind = NetworkChoice::Kind::joined, .path = server.netns};
  runtime->start(spec);
  auto fetch = [&](const std::string& address, int port) {
    static int number = 0;
    auto asking =
        machine.shell(fmt::format("client-{}", number++),
                      fmt::format("i=0; while [ $i -lt 100 ]; do nc -w 2 {} {} </dev/null && exit "
                                  "0; i=$((i+1)); sleep 0.05; done; exit 1",
                                  address, port));
    asking.network = {.kind = NetworkChoice::Kind::joined, .path = client.netns};
    std::string output;
    auto exit = runtime->run(asking, {.sink = [&](std::string_view bytes) { output += bytes; }}, {},
                             {}, Deadline::in(60s));
    return exit.exit.ok() ? std::string(trim(output)) : fmt::format("failed: {}", output);
  };
  CHECK(fetch(server.address, 80) == "hello");
  network.publish("svc", {{"127.0.0.1", 8080, server.address, 80, false}}, client.netns);
  CHECK(fetch("127.0.0.1", 8080) == "hello");
  network.publish("svc", {}, client.netns);
  network.publish("web", {{"0.0.0.0", 48080, server.address, 80, false}});
  CHECK(fetch(network.gateway(), 48080) == "hello");
  auto local = [&] {
    return os::capture({.argv = {"busybox", "nc", "-w", "2", "127.0.0.1", "48080"}}, {},
                       Deadline::in(10s))
        .out;
  };
  std::string said;
  for (int i = 0; i < 100 && said.empty(); ++i) said = local();
  CHECK(said == "hello\n");
  network.unpublish("web");
  CHECK(local().empty());
  runtime->remove("server");
  network.remove();
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("a network opened again is the same, and two networks never share addresses") {
  NEEDS_CONTAINERS();
  Machine machine;
  NetworkOptions options{.state = machine.options.state, .name = "one"};
  std::string address;
  std::string subnet;
  {
    Network network(options);
    subnet = network.subnet();
    address = network.attach("a").address;
  }
  Network network(options);
  CHECK(network.subnet() == subnet);
  REQUIRE(network.endpoints().size() == 1);
  CHECK(network.endpoints()[0].address == address);
  options.name = "two";
  Network other(options);
  CHECK(other.subnet() != subnet);
  network.release("a");
  network.release("a");
  CHECK(network.endpoints().empty());
  CHECK(network.attach("b").address == address);
  CHECK_THROWS_AS(network.attach("../b"), Error);
  other.remove();
  network.remove();
  network.remove();
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("a transient network goes when its maker has died, and not before") {
  NEEDS_CONTAINERS();
  Machine machine;
  NetworkOptions options{.state = machine.options.state, .name = "run-1", .transient = true};
  Network network(options);
  network.attach("job");
  sweep(machine.options);
  CHECK(network.endpoints().size() == 1);
  auto file = machine.options.state / "network/run-1.json";
  auto record = formats::parse_json(os::read_file(file));
  record["owner"] = "1 1";
  os::write_file(file, record.dump());
  sweep(machine.options);
  CHECK(network.endpoints().empty());
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("everything of a state directory is removed at once") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  Network network({.state = machine.options.state, .name = "gone"});
  auto spec = machine.shell("left", "while :; do sleep 1; done");
  spec.network = {.kind = NetworkChoice::Kind::joined, .path = network.attach("left").netns};
  runtime->start(spec);
  auto found = leftovers(machine.options);
  auto has = [&](Leftover::Kind kind) {
    return std::any_of(found.begin(), found.end(),
                       [&](const Leftover& item) { return item.kind == kind; });
  };
  CHECK(has(Leftover::Kind::container));
  CHECK(has(Leftover::Kind::netns));
  CHECK(has(Leftover::Kind::link));
  CHECK(has(Leftover::Kind::nft_table));
  CHECK(remove_everything(machine.options).empty());
}
