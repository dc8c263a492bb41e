// SPDX-License-Identifier: Apache-2.0
#include "actions/docker_flags.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace slipway::actions {
namespace {

constexpr DockerFlag kFlags[] = {
    {"--tag", 't'}, {"--file", 'f'}, {"--push", 0, false}, {"--quiet", 'q', false}};

DockerWords read(std::vector<std::string> words) {
  return read_docker_words(words, kFlags, "docker build");
}

TEST_CASE("a value follows its flag, its letter or a sign of equality") {
  auto words = read({"--tag", "a:1", "--tag=b:2", "-t", "c:3", "-td:4", "-t=e:5", "."});
  CHECK(words.all("--tag") == std::vector<std::string>{"a:1", "b:2", "c:3", "d:4", "e:5"});
  CHECK(words.arguments == std::vector<std::string>{"."});
}

TEST_CASE("a switch is true unless it says false") {
  CHECK(read({"--push"}).is_set("--push"));
  CHECK(read({"--push=true", "-q"}).is_set("--quiet"));
  CHECK_FALSE(read({"--push=false"}).is_set("--push"));
  CHECK_FALSE(read({}).is_set("--push"));
}

TEST_CASE("arguments may stand between flags, and after -- nothing is a flag") {
  auto words = read({"-f", "Dockerfile.prod", "dir", "--push", "--", "--tag"});
  CHECK(words.last("--file") == "Dockerfile.prod");
  CHECK(words.is_set("--push"));
  CHECK(words.arguments == std::vector<std::string>{"dir", "--tag"});
  CHECK(read({"-"}).arguments == std::vector<std::string>{"-"});
}

TEST_CASE("an unknown flag and a missing value are told by name") {
  CHECK_THROWS_WITH_AS(read({"--squash"}), "'docker build' does not know the flag --squash", Error);
  CHECK_THROWS_WITH_AS(read({"--tag"}), "flag needs an argument: --tag", Error);
}

}  // namespace
}  // namespace slipway::actions
