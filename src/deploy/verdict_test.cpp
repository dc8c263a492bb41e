// SPDX-License-Identifier: Apache-2.0
#include "deploy/verdict.hpp"

#include <doctest/doctest.h>

#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;
using formats::parse_json;

namespace {

std::string line_of(const std::string& task) {
  auto cause = cause_of(parse_json(task));
  if (!cause) return "none";
  return to_line(Verdict{.outcome = ledger::Verdict::failed, .causes = {*cause}});
}

}  // namespace

TEST_CASE("a container that exits with a code is named, not those that were stopped after it") {
  CHECK(
      line_of(
          R"({"stopCode":"EssentialContainerExited","stoppedReason":"Essential container in task exited",
    "containers":[{"name":"side","exitCode":143},{"name":"web","exitCode":1}]})") ==
      "container 'web' exited with code 1");
  CHECK(
      line_of(
          R"({"stopCode":"EssentialContainerExited","containers":[{"name":"side","exitCode":143},{"name":"web","exitCode":0}]})") ==
      "container 'web' exited with code 0");
}

TEST_CASE("a signal is named") {
  CHECK(
      line_of(
          R"({"stopCode":"EssentialContainerExited","containers":[{"name":"web","exitCode":139}]})") ==
      "container 'web' was ended by signal 11 (SIGSEGV), exit code 139");
}

TEST_CASE("out of memory is told as such") {
  CHECK(line_of(R"({"stopCode":"EssentialContainerExited","containers":[{"name":"a","exitCode":1},
    {"name":"web","exitCode":137,"reason":"OutOfMemoryError: Container killed due to memory usage"}]})") ==
        "container 'web' ran out of memory (exit code 137)");
}

TEST_CASE("health checks of the container and of the load balancer are told apart") {
  CHECK(
      line_of(
          R"({"stopCode":"ServiceSchedulerInitiated","stoppedReason":"Task failed container health checks",
    "containers":[{"name":"a","healthStatus":"HEALTHY"},{"name":"web","healthStatus":"UNHEALTHY"}]})") ==
      "container 'web' failed its health check");
  CHECK(
      line_of(
          R"json({"stopCode":"ServiceSchedulerInitiated","stoppedReason":"Task failed ELB health checks in (target-group arn:x)",
    "containers":[{"name":"web"}]})json") ==
      "container 'web' failed the load balancer's health check: Task failed ELB health checks in "
      "(target-group arn:x)");
}

TEST_CASE("images, secrets and programs that are missing are told in the cloud's words") {
  CHECK(
      line_of(
          R"({"stopCode":"TaskFailedToStart","stoppedReason":"CannotPullContainerError: pull image manifest: r/web:1: not found",
    "containers":[{"name":"web","reason":"CannotPullContainerError: pull image manifest: r/web:1: not found"}]})") ==
      "container 'web' has an image that cannot be pulled: CannotPullContainerError: pull image "
      "manifest: r/web:1: not found");
  CHECK(
      line_of(
          R"({"stopCode":"TaskFailedToStart","stoppedReason":"ResourceInitializationError: unable to pull secrets","containers":[{"name":"web"}]})") ==
      "the task cannot get what it needs: ResourceInitializationError: unable to pull secrets");
  CHECK(
      line_of(
          R"({"stopCode":"TaskFailedToStart","stoppedReason":"CannotStartContainerError: no such file","containers":[{"name":"web",
    "reason":"CannotStartContainerError: no such file"}]})") ==
      "container 'web' cannot be started: CannotStartContainerError: no such file");
}

TEST_CASE("a container that another waited for is the cause when it failed") {
  CHECK(
      line_of(
          R"({"stopCode":"TaskFailedToStart","stoppedReason":"dependency did not exit successfully",
    "containers":[{"name":"web"},{"name":"migrate","exitCode":2}]})") ==
      "container 'migrate' exited with code 2: dependency did not exit successfully");
}

TEST_CASE("tasks stopped by scaling or by hand failed nothing") {
  CHECK(
      line_of(
          R"json({"stopCode":"ServiceSchedulerInitiated","stoppedReason":"Scaling activity initiated by (deployment ecs-svc/1)"})json") ==
      "none");
  CHECK(line_of(R"({"stopCode":"UserInitiated","stoppedReason":"Task stopped by user"})") ==
        "none");
}

TEST_CASE("equal deaths are counted once, with the line that tells from the log") {
  FakeCalls calls;
  calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":["t1","t2","t3"]})"));
  calls.answer("ecs:DescribeTasks", parse_json(R"({"tasks":[
    {"taskArn":"arn:x/c/t1","startedBy":"ecs-svc/2","taskDefinitionArn":"td","stopCode":"EssentialContainerExited","stoppedAt":1,"containers":[{"name":"web","exitCode":1}]},
    {"taskArn":"arn:x/c/t2","startedBy":"ecs-svc/2","taskDefinitionArn":"td","stopCode":"EssentialContainerExited","stoppedAt":2,"containers":[{"name":"web","exitCode":1}]},
    {"taskArn":"arn:x/c/t3","startedBy":"ecs-svc/1","taskDefinitionArn":"old","stopCode":"EssentialContainerExited","stoppedAt":3,"containers":[{"name":"web","exitCode":9}]}]})"));
  calls.answer(
      "ecs:DescribeTaskDefinition",
      parse_json(R"({"taskDefinition":{"containerDefinitions":[{"name":"web","logConfiguration":
    {"logDriver":"awslogs","options":{"awslogs-group":"/ecs/web","awslogs-stream-prefix":"ecs"}}}]}})"));
  calls.answer(
      "logs:GetLogEvents",
      parse_json(R"json({"events":[{"message":"starting"},{"message":"Error: no DATABASE_URL"},
    {"message":"    at main (server.js:3)"},{"message":""},{"message":"Node.js v20.20.2"}]})json"));
  auto causes = find_causes(calls, "c", "web", "ecs-svc/2", "td", {});
  REQUIRE(causes.size() == 1);
  CHECK(causes.front().tasks == 2);
  CHECK(calls.inputs_of("logs:GetLogEvents").front().get_string("logStreamName") == "ecs/web/t2");
  CHECK(to_line(Verdict{.outcome = ledger::Verdict::rolled_back,
                        .causes = causes,
                        .rolled_back_to = "arn:aws:ecs:r:1:task-definition/web:6"}) ==
        "container 'web' exited with code 1 (2 tasks), last log line: Error: no DATABASE_URL; "
        "rolled back to web:6");
}

TEST_CASE("a verdict without a known cause says so, and stays on one line") {
  CHECK(to_line(Verdict{.outcome = ledger::Verdict::failed}) == "the cause is not known");
  CHECK(to_line(Verdict{.outcome = ledger::Verdict::unknown, .note = "a\nb"}) == "a b");
}
