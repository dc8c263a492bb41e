// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/exec_channel.hpp"

#include <doctest/doctest.h>

#include "cloud/ecs/agent_message.hpp"

namespace slipway::cloud::ecs {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("a command is split as the agent does: quotes and backslashes, but no shell") {
  CHECK(split_command("/bin/sh -c \"echo a  b\"") == Words{"/bin/sh", "-c", "echo a  b"});
  CHECK(split_command("a 'b \" c'\\''d'") == Words{"a", "b \" c'd"});
  CHECK(split_command("a ''") == Words{"a", ""});
  CHECK(split_command("ls | wc") == Words{"ls", "|", "wc"});
  CHECK(split_command("  ") == Words{});
  CHECK(split_command("a 'b") == std::nullopt);
}

TEST_CASE("an agent message is read as it was printed") {
  AgentMessage message{.type = "input_stream_data",
                       .created_ms = 1764000000000,
                       .sequence = 7,
                       .flags = 1,
                       .id = "01234567-89ab-4def-8123-456789abcdef",
                       .payload_type = 3,
                       .payload = "{\"cols\":80,\"rows\":24}"};
  std::string bytes = print_agent_message(message);
  CHECK(bytes.size() == 120 + message.payload.size());
  CHECK(parse_agent_message(bytes) == message);
  // The identifier's halves are exchanged on the wire.
  CHECK(static_cast<unsigned char>(bytes[64]) == 0x81);
}

TEST_CASE("an agent message that is cut, longer than it says, or not its digest's is none") {
  std::string bytes = print_agent_message({.type = "x", .id = "", .payload = "abc"});
  CHECK(parse_agent_message(bytes).has_value());
  CHECK_FALSE(parse_agent_message(bytes.substr(0, bytes.size() - 1)));
  CHECK_FALSE(parse_agent_message(bytes + "d"));
  CHECK_FALSE(parse_agent_message(bytes.substr(0, 119)));
  bytes.back() = 'x';
  CHECK_FALSE(parse_agent_message(bytes));
}

TEST_CASE("a session is opened once, by its id") {
  ExecSessions sessions;
  auto order = sessions.open({.argv = {"ls"}});
  CHECK(order.session.size() == 37);
  CHECK_FALSE(sessions.take("ecs-execute-command-other"));
  CHECK(sessions.take(order.session)->argv == Words{"ls"});
  CHECK_FALSE(sessions.take(order.session));
}

}  // namespace
}  // namespace slipway::cloud::ecs
