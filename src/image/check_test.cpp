// SPDX-License-Identifier: Apache-2.0
#include "image/check.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "image/ports.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

std::vector<Finding> findings(std::string_view text, const IgnoreMatcher* ignore = nullptr,
                              const Arguments& arguments = {}) {
  auto parsed = parse_dockerfile(text, "Dockerfile");
  auto found = check_dockerfile(parsed, text, arguments);
  auto list = read_stages(parsed, "Dockerfile", arguments);
  std::vector<PlannedStage> plans(list.stages.size());
  for (const auto& stage : list.stages) {
    auto at = static_cast<std::size_t>(stage.number);
    const auto* below =
        stage.base_stage ? &plans[static_cast<std::size_t>(*stage.base_stage)] : nullptr;
    plans[at] = plan_stage(list, stage.number, arguments, below, std::nullopt);
    found.insert(found.end(), plans[at].findings.begin(), plans[at].findings.end());
    auto copies = ignore ? check_copies(plans[at], *ignore) : std::vector<Finding>{};
    found.insert(found.end(), copies.begin(), copies.end());
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.lines.first < b.lines.first; });
  return without_skipped(std::move(found),
                         read_check_settings(check_directive(parsed.directives.check)), parsed);
}

std::vector<std::string> rules(std::string_view text, const IgnoreMatcher* ignore = nullptr,
                               const Arguments& arguments = {}) {
  std::vector<std::string> out;
  for (const auto& finding : findings(text, ignore, arguments))
    out.push_back(finding.rule + ":" + std::to_string(finding.lines.first));
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
        Rules{"ExposeInvalidFormat:2", "ExposeProtoCasing:2"});
  CHECK(rules("FROM a\nRUN x \\\n\n  y\n") == Rules{"NoEmptyContinuation:4"});
}

TEST_CASE("what a stage has from those below it counts") {
  CHECK(rules("FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nWORKDIR /w\nFROM b\nWORKDIR x\nCMD "
              "x\n")
            .empty());
  CHECK(rules("FROM a\nARG D\nWORKDIR $D\nWORKDIR x\n") == Rules{"WorkdirRelativePath:3"});
}

TEST_CASE("names of files and versions are no secrets") {
  CHECK(rules("FROM a\nENV PASSWORD_FILE=x KEY_VERSION=1 PUBLIC_KEY=y\nARG token\n") ==
        Rules{"SecretsUsedInArgOrEnv:3"});
}

TEST_CASE("a variable that nobody set is told, with the one that may be meant") {
  auto path = findings("FROM scratch\nENV PATH=$PAHT:/x\n");
  REQUIRE(path.size() == 1);
  CHECK(path[0].message == "Usage of undefined variable '$PAHT' (did you mean $PATH?)");
  auto from = findings("ARG VERSION=1\nFROM a:${VERSIN:-1}\n");
  REQUIRE(from.size() == 1);
  CHECK(from[0].message == "FROM argument 'VERSIN' is not declared (did you mean VERSION?)");
  CHECK(rules("FROM a\nARG x\nENV y=$x${z:-1}\n") == Rules{"UndefinedVar:3"});
}

TEST_CASE("a file that .dockerignore leaves out cannot be copied") {
  IgnoreMatcher ignore(std::vector<std::string>{"out"});
  CHECK(rules("FROM a\nCOPY out /\nCOPY in /\nCOPY . /\nCOPY --from=x out /\nARG D=out\nADD $D/x "
              "/\n",
              &ignore) == Rules{"CopyIgnoredFile:2", "CopyIgnoredFile:7"});
  IgnoreMatcher excepted(std::vector<std::string>{"out", "!out/x"});
  CHECK(rules("FROM a\nCOPY out /\n", &excepted).empty());
  IgnoreMatcher all(std::vector<std::string>{"**"});
  CHECK(rules("FROM a\nCOPY . /\n", &all) == Rules{"CopyIgnoredFile:2"});
}

TEST_CASE("the check directive skips rules, and turns experiments on") {
  CHECK(rules("# check=skip=StageNameCasing\nFROM a AS One\nCMD x\n") ==
        Rules{"JSONArgsRecommended:3"});
  CHECK(rules("# check=skip=all\nFROM a AS One\n").empty());
  CHECK(rules("# check=experimental=all\n# something else\nFROM a AS one\n") ==
        Rules{"InvalidDefinitionDescription:3"});
  CHECK(rules("# check=experimental=all\n# one builds\nFROM a AS one\n").empty());
  CHECK(read_check_settings("skip=A;error=true").is_error);
  CHECK(check_directive("skip=A because of b") == "skip=A");
  for (const char* bad : {"skip", "skip=A;", "error=maybe", "skp=A"})
    CHECK_THROWS_AS(read_check_settings(bad), Error);
}

TEST_CASE("a check comment above an instruction is for it alone") {
  CHECK(rules("FROM a\n# check=skip=SecretsUsedInArgOrEnv\nENV TOKEN=1\nENV KEY=2\n") ==
        Rules{"SecretsUsedInArgOrEnv:4"});
  CHECK(rules("# about it\n# check=skip=StageNameCasing why\nFROM a AS One\n").empty());
  CHECK(rules("# check=skip=StageNameCasing\n#\nFROM a AS One\nFROM b AS Two\n").empty());
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
