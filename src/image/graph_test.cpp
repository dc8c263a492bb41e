// SPDX-License-Identifier: Apache-2.0
#include "image/graph.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::image;

namespace {

StageList stages(std::string_view text, const Arguments& arguments = {}) {
  return read_stages(parse_dockerfile(text, "Dockerfile"), "Dockerfile", arguments);
}

PlannedStage planned(std::string_view text, const Arguments& arguments = {},
                     const std::optional<oci::ImageConfig>& base = std::nullopt) {
  auto list = stages(text, arguments);
  REQUIRE(list.errors.empty());
  std::vector<PlannedStage> done(list.stages.size());
  for (int number : list.needed) {
    const auto& stage = list.stages[static_cast<std::size_t>(number)];
    const PlannedStage* below =
        stage.base_stage ? &done[static_cast<std::size_t>(*stage.base_stage)] : nullptr;
    done[static_cast<std::size_t>(number)] =
        plan_stage(list, number, arguments, below, below ? std::nullopt : base);
  }
  return done[static_cast<std::size_t>(list.target)];
}

std::string env_of(const PlannedStage& stage, std::string_view name) {
  for (const auto& line : stage.image.config.env) {
    if (line.starts_with(std::string(name) + "=")) return line.substr(name.size() + 1);
  }
  return "(unset)";
}

const RunOp& run_of(const PlannedStage& stage, std::size_t index = 0) {
  return std::get<RunOp>(stage.steps.at(index).op);
}
const CopyOp& copy_of(const PlannedStage& stage, std::size_t index = 0) {
  return std::get<CopyOp>(stage.steps.at(index).op);
}

std::string first_error(std::string_view text, const Arguments& arguments = {}) {
  auto list = stages(text, arguments);
  if (!list.errors.empty()) return to_string(list.errors.front());
  for (int number : list.needed) {
    auto plan = plan_stage(list, number, arguments, nullptr, std::nullopt);
    if (!plan.errors.empty()) return to_string(plan.errors.front());
  }
  return "";
}

}  // namespace

TEST_CASE("only the stages that the target needs are needed") {
  auto list = stages(
      "FROM a AS one\nFROM b AS two\nFROM one AS three\nRUN --mount=from=two,target=/x true\nFROM "
      "c\nFROM scratch\nCOPY --from=three / /\n");
  REQUIRE(list.errors.empty());
  CHECK(list.needed == std::vector<int>{0, 1, 2, 4});
  CHECK(stages("FROM a AS one\nFROM b\n", {.target_stage = "ONE"}).needed == std::vector<int>{0});
  CHECK(stages("FROM a AS one\nFROM b\n", {.target_stage = "1"}).needed == std::vector<int>{1});
  CHECK(stages("FROM a\n", {.target_stage = "zz"}).errors.size() == 1);
}

TEST_CASE("global ARGs name base images and reach a stage only when it asks") {
  std::string text = "ARG TAG=1\nARG FULL=img:$TAG\nFROM ${FULL}\nARG TAG\nENV a=$TAG b=$FULL\n";
  CHECK(stages(text).stages[0].base == "img:1");
  CHECK(stages(text, {.given = {{"TAG", "2"}}}).stages[0].base == "img:2");
  auto plan = planned(text);
  CHECK(env_of(plan, "a") == "1");
  CHECK(env_of(plan, "b") == "");
  CHECK(first_error("FROM $NOPE\n").find("should not be blank") != std::string::npos);
}

TEST_CASE("a line is expanded with the values before it, of ENV and ARG the later counts") {
  auto plan = planned(
      "FROM scratch\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\nARG abc=late\nENV "
      "x=$abc\nENV abc=last\nENV y=$abc\n");
  CHECK(env_of(plan, "def") == "hello");
  CHECK(env_of(plan, "ghi") == "bye");
  CHECK(env_of(plan, "x") == "late");
  CHECK(env_of(plan, "y") == "last");
  CHECK(env_of(plan, "PATH").find("/usr/bin") != std::string::npos);
}

TEST_CASE("ARGs reach RUN and stages built on theirs, proxies stay out of the key") {
  std::string text = "FROM scratch AS a\nARG V=1\nFROM a\nRUN echo $V\n";
  auto plan = planned(text);
  CHECK(run_of(plan).argv == std::vector<std::string>{"/bin/sh", "-c", "echo $V"});
  CHECK(std::find(run_of(plan).env.begin(), run_of(plan).env.end(), "V=1") !=
        run_of(plan).env.end());
  CHECK(plan.image.history.back().created_by == "RUN |1 V=1 /bin/sh -c echo $V # buildkit");
  auto with_proxy = planned(text, {.given = {{"HTTP_PROXY", "http://p"}}});
  CHECK(fingerprint(with_proxy.steps[0]) == fingerprint(plan.steps[0]));
  CHECK(run_of(with_proxy).hidden_env ==
        std::vector<std::string>{"HTTP_PROXY=http://p", "http_proxy=http://p"});
  // Declared, they are ordinary arguments.
  auto declared = planned("FROM scratch\nARG HTTP_PROXY\nENV P=$HTTP_PROXY\nRUN x\n",
                          {.given = {{"HTTP_PROXY", "p"}}});
  CHECK(env_of(declared, "P") == "p");
  CHECK(declared.image.history.back().created_by == "RUN |1 HTTP_PROXY=p /bin/sh -c x # buildkit");
  auto other = planned(text, {.given = {{"V", "2"}}});
  CHECK(fingerprint(other.steps[0]) != fingerprint(plan.steps[0]));
}

TEST_CASE("the configuration is what the instructions say") {
  auto plan = planned(
      "FROM scratch\nWORKDIR /a\nWORKDIR b/../c\nUSER u:g\nEXPOSE 80 53/UDP 7000-7001\nVOLUME "
      "/v\nSTOPSIGNAL SIGINT\nLABEL a=\"b c\"\n"
      "CMD echo hi\nENTRYPOINT [\"/e\"]\nHEALTHCHECK --interval=1m30s --retries=2 CMD x y\nSHELL "
      "[\"/bin/bash\", \"-c\"]\nRUN z\nONBUILD RUN q\n");
  const auto& config = plan.image.config;
  CHECK(config.working_dir == "/a/c");
  CHECK(config.user == "u:g");
  CHECK(config.exposed_ports ==
        std::vector<std::string>{"53/udp", "7000/tcp", "7001/tcp", "80/tcp"});
  CHECK(config.cmd == std::vector<std::string>{"/bin/sh", "-c", "echo hi"});
  CHECK(config.entrypoint == std::vector<std::string>{"/e"});
  REQUIRE(config.healthcheck);
  CHECK(config.healthcheck->interval_ns == 90'000'000'000);
  CHECK(config.healthcheck->test == std::vector<std::string>{"CMD-SHELL", "x y"});
  CHECK(run_of(plan, 2).argv == std::vector<std::string>{"/bin/bash", "-c", "z"});
  CHECK(config.on_build == std::vector<std::string>{"RUN q"});
  CHECK(config.labels.at("a") == "b c");
  std::vector<std::string> made_by;
  for (const auto& entry : plan.image.history) made_by.push_back(entry.created_by);
  for (const char* wanted :
       {"CMD [\"/bin/sh\" \"-c\" \"echo hi\"]", "ENTRYPOINT [\"/e\"]", "VOLUME [/v]",
        "HEALTHCHECK {Test:[CMD-SHELL x y] Interval:1m30s Timeout:0s StartPeriod:0s "
        "StartInterval:0s Retries:2}"})
    CHECK(std::find(made_by.begin(), made_by.end(), wanted) != made_by.end());
  auto empty = planned("FROM scratch\nRUN\nCMD\nENTRYPOINT []\n");
  CHECK(run_of(empty).argv == std::vector<std::string>{"/bin/sh", "-c", ""});
  CHECK(empty.image.config.cmd == std::vector<std::string>{"/bin/sh", "-c", ""});
}

TEST_CASE(
    "ENTRYPOINT drops a CMD that came from the base image, and triggers of the base run first") {
  oci::ImageConfig base;
  base.platform = oci::Platform::host();
  base.config.cmd = std::vector<std::string>{"old"};
  base.config.on_build = {"RUN first", "COPY . /src"};
  auto plan = planned("FROM base\nRUN second\nENTRYPOINT [\"/e\"]\n", {}, base);
  CHECK_FALSE(plan.image.config.cmd.has_value());
  CHECK(plan.image.config.on_build.empty());
  REQUIRE(plan.steps.size() == 3);
  CHECK(run_of(plan, 0).argv.back() == "first");
  CHECK(copy_of(plan, 1).dest == "/src");
}

TEST_CASE("heredocs are scripts and files") {
  auto plan = planned(
      "FROM scratch\nENV n=1\nRUN <<EOF\necho $n\nEOF\nRUN "
      "<<-PY\n\t#!/usr/bin/python\n\tprint(1)\nPY\nRUN cat <<A > /x && b\none\nA\n"
      "COPY <<a.txt <<'b.txt' /d/\nn=$n \"q\"\na.txt\nn=$n\nb.txt\n");
  CHECK(run_of(plan, 0).argv.back() == "echo $n\n");
  CHECK(run_of(plan, 1).argv.back() == "/dev/pipes/PY");
  REQUIRE(run_of(plan, 1).scripts.size() == 1);
  CHECK(run_of(plan, 1).scripts[0].content == "#!/usr/bin/python\nprint(1)\n");
  CHECK(run_of(plan, 2).argv.back() == "cat <<A > /x && b\none\nA");
  const auto& files = copy_of(plan, 3).files;
  REQUIRE(files.size() == 2);
  CHECK(files[0] == InlineFile{"a.txt", "n=1 \"q\"\n"});
  CHECK(files[1] == InlineFile{"b.txt", "n=$n\n"});
}

TEST_CASE("mounts know their kinds, defaults and variables") {
  auto plan = planned(
      "FROM scratch AS s\nFROM scratch\nARG D=/c\nWORKDIR /w\nRUN "
      "--mount=type=cache,target=$D,sharing=locked,mode=0700,uid=5 --mount=from=s,target=x,rw "
      "--mount=type=secret,id=k,env=K,required --mount=type=tmpfs,dst=/t,size=64m true\n");
  const auto& mounts = run_of(plan, 1).mounts;
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[0].first.target == "/c");
  CHECK(mounts[0].first.id == "/c");
  CHECK(mounts[0].first.sharing == MountFlag::Sharing::locked);
  CHECK(mounts[0].first.mode == 0700u);
  CHECK(mounts[1].first.target == "/w/x");
  CHECK_FALSE(mounts[1].first.read_only);
  CHECK(mounts[1].second.stage == 0);
  CHECK(mounts[2].first.required);
  CHECK(mounts[3].first.size_bytes == 64u << 20);
}

TEST_CASE("what is wrong is said with its line, in every stage") {
  CHECK(first_error("RUN x\n").find("Dockerfile:1: no build stage") == 0);
  CHECK(
      first_error("FROM a\nCOPY x\n").find("Dockerfile:2: COPY requires at least two arguments") ==
      0);
  CHECK(first_error("FROM a\nCOPY --form=b x y\n")
            .find("unknown flag: --form (did you mean from?)") != std::string::npos);
  CHECK(first_error("FROM a\nCOPY a b c\n").empty());  // the later one wins, as with BuildKit
  CHECK(
      first_error("FROM a\nRUN --mount=type=cahce,target=/x y\n").find("unsupported mount type") !=
      std::string::npos);
  CHECK(first_error("FROM scratch\nRUN --mount=type=cache y\n").find("invalid mount target") !=
        std::string::npos);
  CHECK(first_error("FROM a\nRUN --mount=type=secret y\n").find("one of source, target required") !=
        std::string::npos);
  CHECK(first_error("FROM a\nRUN --mount=type=bind,mode=1 y\n").find("mode not allowed") !=
        std::string::npos);
  CHECK(first_error("FROM scratch\nEXPOSE 1-2:1-5\n").find("invalid ranges") != std::string::npos);
  CHECK(first_error("FROM scratch\nVOLUME $NOPE\n").find("can not be an empty string") !=
        std::string::npos);
  CHECK(first_error("FROM a\nRUN --network=bridge y\n").find("invalid network mode") !=
        std::string::npos);
  CHECK(first_error("FROM a\nHEALTHCHECK --interval=1x CMD y\n").find("invalid duration") !=
        std::string::npos);
  CHECK(first_error("FROM --platform=$NO a\n").find("empty platform value") != std::string::npos);
  CHECK(first_error("FROM a AS 1x\n").find("invalid name for build stage") != std::string::npos);
  CHECK(first_error("FROM a\nONBUILD FROM b\n").find("isn't allowed as an ONBUILD trigger") !=
        std::string::npos);
  CHECK(first_error("FROM a\nCOPY --from=b x y\nFROM c AS b\n", {.target_stage = "0"}).empty());
  CHECK(first_error("FROM scratch\nEXPOSE x\n").find("invalid containerPort") != std::string::npos);
  CHECK(first_error("FROM scratch\nENV a=\"${b:?give b}\"\n").find("b: give b") !=
        std::string::npos);
  // Only quotes hold a word of ENV together, braces do not.
  CHECK(first_error("FROM scratch\nENV a=${b:?give b}\n").find("can't find = in \"b}\"") !=
        std::string::npos);
  CHECK(first_error("FROM scratch\nRUN --security=insecure x\n").find("not allowed") !=
        std::string::npos);
  CHECK(stages("FROM a\nFOO\nFROM b\nCOPY\nADD --x y z\n").errors.size() == 3);
}

TEST_CASE("durations and modes read as Go's and chmod's do") {
  using std::chrono::nanoseconds;
  CHECK(read_duration("1h2m3.5s") == nanoseconds(3723500000000));
  CHECK(read_duration("300ms") == nanoseconds(300000000));
  for (const char* text : {"0s", "5ns", "1.5\xC2\xB5s", "300ms", "1.5s", "1m30s", "2h0m0.25s"})
    CHECK(go_duration(*read_duration(text)) == text);
  CHECK_FALSE(read_duration("5").has_value());
  CHECK(read_size("64m") == 64u << 20);
  CHECK(read_size("1.5KiB") == 1536u);
  CHECK(read_size("7") == 7u);
  for (const char* bad : {"", "m", "1x", "1.2.3", "99999999999999p"})
    CHECK_FALSE(read_size(bad).has_value());
  CHECK_FALSE(read_duration("s").has_value());
  CHECK(ModeChange::read("755")->apply(0600, false) == 0755);
  CHECK(ModeChange::read("u=rwX,go=rX")->apply(0600, true) == 0755);
  CHECK(ModeChange::read("u=rwX,go=rX")->apply(0600, false) == 0644);
  CHECK(ModeChange::read("+x")->apply(0644, false) == 0755);
  CHECK(ModeChange::read("g-w,o=")->apply(0666, false) == 0640);
  CHECK_FALSE(ModeChange::read("9").has_value());
  CHECK_FALSE(ModeChange::read("u~x").has_value());
}
