// SPDX-License-Identifier: Apache-2.0
#include "image/check.hpp"

#include <doctest/doctest.h>

#include "image/ports.hpp"

using namespace slipway::image;

namespace {

std::vector<std::string> rules(std::string_view text, const IgnoreMatcher* ignore = nullptr,
                               const Arguments& arguments = {}) {
  auto parsed = parse_dockerfile(text, "Dockerfile");
  std::vector<std::string> out;
  for (const auto& finding : without_skipped(check_dockerfile(parsed, text, arguments, ignore),
                                             read_check_settings(parsed.directives.check))) {
    out.push_back(finding.rule + ":" + std::to_string(finding.lines.first));
  }
  return out;
}

using Rules = std::vector<std::string>;

}  // namespace

TEST_CASE("a Dockerfile without faults has no findings") {
  CHECK(rules("ARG TAG=1\nFROM img:$TAG AS build\nWORKDIR /w\nENV a=b\nCMD [\"x\"]\nHEALTHCHECK "
              "CMD true\n")
            .empty());
}

TEST_CASE("each rule finds its fault, at its line") {
  CHECK(rules("FROM a AS One\n") == Rules{"StageNameCasing:1"});
  CHECK(rules("FROM a as one\n") == Rules{"FromAsCasing:1"});
  CHECK(rules("from a AS one\n") == Rules{"FromAsCasing:1"});
  CHECK(rules("FROM a\nRun x\nRUN y\n") == Rules{"ConsistentInstructionCasing:2"});
  CHECK(rules("FROM a AS x\nFROM b AS x\n") == Rules{"DuplicateStageName:2"});
  CHECK(rules("FROM a AS scratch\n") == Rules{"ReservedStageName:1"});
  CHECK(rules("FROM a\nCMD x\n") == Rules{"JSONArgsRecommended:2"});
  CHECK(rules("FROM a\nSHELL [\"/bin/sh\", \"-c\"]\nCMD x\n").empty());
  CHECK(rules("FROM a\nMAINTAINER me\n") == Rules{"MaintainerDeprecated:2"});
  CHECK(rules("FROM a:$TAG\n") == Rules{"UndefinedArgInFrom:1", "InvalidDefaultArgInFrom:1"});
  CHECK(rules("ARG BASE\nFROM $BASE\n", nullptr, {.given = {{"BASE", "a"}}}) ==
        Rules{"InvalidDefaultArgInFrom:2"});
  CHECK(rules("FROM a\nWORKDIR x\nWORKDIR y\n") == Rules{"WorkdirRelativePath:2"});
  CHECK(rules("FROM a\nCMD [\"1\"]\nCMD [\"2\"]\n") == Rules{"MultipleInstructionsDisallowed:2"});
  CHECK(rules("FROM a\nENV a b\nLABEL c d\n") ==
        Rules{"LegacyKeyValueFormat:2", "LegacyKeyValueFormat:3"});
  CHECK(rules("FROM --platform=$TARGETPLATFORM a\n") == Rules{"RedundantTargetPlatform:1"});
  CHECK(rules("FROM --platform=linux/arm64 a\n") == Rules{"FromPlatformFlagConstDisallowed:1"});
  CHECK(rules("FROM --platform=linux/arm64 a AS build-arm64\n").empty());
  CHECK(rules("FROM a\nARG API_KEY\nENV MY_PASSWORD=x PUBLIC_KEY=y\n") ==
        Rules{"SecretsUsedInArgOrEnv:2", "SecretsUsedInArgOrEnv:3"});
  CHECK(rules("FROM a\nEXPOSE 80/TCP 1:80\n") ==
        Rules{"ExposeProtoCasing:2", "ExposeInvalidFormat:2"});
  CHECK(rules("FROM a\nRUN x \\\n\n  y\n") == Rules{"NoEmptyContinuation:2"});
}

TEST_CASE("a file that .dockerignore leaves out cannot be copied") {
  IgnoreMatcher ignore(std::vector<std::string>{"out"});
  CHECK(rules("FROM a\nCOPY out /\nCOPY in /\nCOPY --from=x out /\n", &ignore) ==
        Rules{"CopyIgnoredFile:2"});
}

TEST_CASE("the check directive skips rules, and turns experiments on") {
  CHECK(rules("# check=skip=StageNameCasing\nFROM a AS One\nCMD x\n") ==
        Rules{"JSONArgsRecommended:3"});
  CHECK(rules("# check=skip=all\nFROM a AS One\n").empty());
  CHECK(rules("# check=experimental=all\n# something else\nFROM a AS one\n") ==
        Rules{"InvalidDefinitionDescription:3"});
  CHECK(rules("# check=experimental=all\n# one builds\nFROM a AS one\n").empty());
  CHECK(read_check_settings("skip=A;error=true").is_error);
}

TEST_CASE("a rule's address is its name with dashes") {
  CHECK(rule_address("JSONArgsRecommended") ==
        "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
  CHECK(rule_address("FromAsCasing") ==
        "https://docs.docker.com/go/dockerfile/rule/from-as-casing/");
}

TEST_CASE("EXPOSE names ports, ranges and protocols; addresses in front are checked and left out") {
  CHECK(read_ports("80").ports == Rules{"80/tcp"});
  CHECK(read_ports("80/").ports == Rules{"80/tcp"});
  CHECK(read_ports("7-8/UDP").ports == Rules{"7/udp", "8/udp"});
  CHECK(read_ports("127.0.0.1:1:2").ports == Rules{"2/tcp"});
  CHECK(read_ports("[::1]:1:2/sctp").ports == Rules{"2/sctp"});
  for (const char* bad : {"", "x", "70000", "2-1", "80/icmp", "nowhere:1:2", "x:80"})
    CHECK_FALSE(read_ports(bad).error.empty());
}

TEST_CASE("a stop signal is a number or a name") {
  for (const char* good : {"9", "SIGTERM", "term", "SIGRTMIN+3", "RTMAX-14"})
    CHECK(is_signal(good));
  for (const char* bad : {"0", "", "SIGNOPE", "RTMIN-1", "RTMAX-15"}) CHECK_FALSE(is_signal(bad));
}
