// SPDX-License-Identifier: Apache-2.0
#include "deploy/exec_session.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/fake_calls.hpp"

namespace slipway::deploy {
namespace {

// What the container's shell would print between.
std::string mark_of(const MarkedCommand& command) {
  auto words = split(command.line(), ' ');
  return words.back();
}

TEST_CASE("words are quoted so that they stay words") {
  CHECK(quote_words({"ls", "-la", "/tmp/a.b"}) == "ls -la /tmp/a.b");
  CHECK(quote_words({"sh", "-c", "echo 'a b' | wc"}) == R"(sh -c 'echo '\''a b'\'' | wc')");
  CHECK(quote_words({""}) == "''");
}

TEST_CASE("what stands between the marks is the command's, and its exit code is known") {
  MarkedCommand command({}, true);
  std::string mark = mark_of(command);
  std::string all = "noise\x1e" + mark + "(one\x1etwo\r\n\x1e" + mark + ")3;";
  std::string printed;
  for (char c : all) printed += command.take({&c, 1});  // in the worst split
  CHECK(printed == "one\x1etwo\r\n");
  CHECK(command.exit_code() == 3);

  MarkedCommand at_once({}, true);
  mark = mark_of(at_once);
  CHECK(at_once.take("\x1e" + mark + "(x\x1e" + mark + ")0;") == "x");
  CHECK(at_once.exit_code() == 0);
}

TEST_CASE("a command whose marks never come has no exit code, and its output says why") {
  MarkedCommand command({"ls"}, false);
  CHECK(command.take("sh: not found").empty());
  CHECK_FALSE(command.has_begun());
  CHECK_FALSE(command.exit_code());
  CHECK(command.rest() == "sh: not found");
  CHECK(command.line().find("stty -echo") != std::string::npos);
}

}  // namespace
}  // namespace slipway::deploy
