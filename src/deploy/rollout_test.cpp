// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;
using formats::parse_json;

namespace {

constexpr const char* kOld = "arn:aws:ecs:us-east-1:1:task-definition/web:6";
constexpr const char* kNew = "arn:aws:ecs:us-east-1:1:task-definition/web:7";

struct Deployment {
  std::string id;
  std::string status;
  std::string definition;
  std::string state;
  int failed = 0;
  std::string reason;
};

Json service_of(const std::vector<Deployment>& deployments,
                const std::string& breaker = R"({"enable":true,"rollback":true})") {
  Json list = Json::array();
  for (const auto& d : deployments) {
    list.push_back(Json::object({{"id", d.id},
                                 {"status", d.status},
                                 {"taskDefinition", d.definition},
                                 {"rolloutState", d.state},
                                 {"rolloutStateReason", d.reason},
                                 {"failedTasks", d.failed},
                                 {"desiredCount", 1},
                                 {"runningCount", 1}}));
  }
  return Json::object(
      {{"serviceName", "web"},
       {"status", "ACTIVE"},
       {"desiredCount", 1},
       {"taskDefinition", deployments.empty() ? "" : deployments.front().definition},
       {"deployments", std::move(list)},
       {"deploymentConfiguration",
        Json::object({{"deploymentCircuitBreaker", parse_json(breaker)}})}});
}

// A cloud whose service goes through the given states, one a poll, and stays in the last.
struct Story {
  explicit Story(std::vector<Json> steps) : states(std::move(steps)) {
    calls.on("ecs:DescribeServices", [this](const Json&) {
      const Json& now = states[std::min(at++, states.size() - 1)];
      return aws::Answer(
          Json::object({{"services", Json::array({now})}, {"failures", Json::array()}}));
    });
    calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":["t1"]})"));
    calls.answer(
        "ecs:DescribeTasks",
        parse_json(R"({"tasks":[{"taskArn":"a/t1","startedBy":"ecs-svc/2","taskDefinitionArn":
      "arn:aws:ecs:us-east-1:1:task-definition/web:7","stopCode":"EssentialContainerExited","containers":[{"name":"web","exitCode":1}]}]})"));
  }

  Verdict watch_new(bool breaker = true, bool rolls_back = true) {
    Rollout rollout{.cluster = "c",
                    .service = "web",
                    .deployment = "ecs-svc/2",
                    .task_definition = kNew,
                    .previous_deployment = "ecs-svc/1",
                    .previous_task_definition = kOld,
                    .is_new = true,
                    .can_roll_back = breaker && rolls_back,
                    .has_breaker = breaker,
                    .desired = 1,
                    .accepted_at = std::chrono::steady_clock::now()};
    WatchOptions options{.deadline = Deadline::in(limit),
                         .shortest_pause = std::chrono::milliseconds(1),
                         .longest_pause = std::chrono::milliseconds(1)};
    options.sink = [this](const RolloutEvent& event) { told.push_back(event.text); };
    return watch(calls, rollout, options, {});
  }

  std::vector<Json> states;
  std::size_t at = 0;
  FakeCalls calls;
  std::vector<std::string> told;
  std::chrono::milliseconds limit = std::chrono::seconds(30);
};

const Deployment kNewGoing{"ecs-svc/2", "PRIMARY", kNew, "IN_PROGRESS"};
const Deployment kNewDone{"ecs-svc/2", "PRIMARY", kNew, "COMPLETED"};
const Deployment kOldLeaving{"ecs-svc/1", "ACTIVE", kOld, "COMPLETED"};

}  // namespace

TEST_CASE("an update tells the deployment it made and what ran before") {
  Story story({service_of({{"ecs-svc/1", "PRIMARY", kOld, "COMPLETED"}})});
  story.calls.on("ecs:UpdateService", [](const Json&) {
    return aws::Answer(Json::object({{"service", service_of({kNewGoing, kOldLeaving})}}));
  });
  auto rollout = start_rollout(story.calls,
                               {.cluster = "c",
                                .service = "web",
                                .task_definition = kNew,
                                .desired_count = 3,
                                .more = parse_json(R"({"propagateTags":"SERVICE"})")},
                               {});
  CHECK(rollout.deployment == "ecs-svc/2");
  CHECK(rollout.previous_task_definition == kOld);
  CHECK(rollout.is_new);
  CHECK(rollout.can_roll_back);
  auto sent = story.calls.inputs_of("ecs:UpdateService").front();
  CHECK(sent.get_int("desiredCount") == 3);
  CHECK(sent.get_string("propagateTags") == "SERVICE");
}

TEST_CASE(
    "a missing, inactive or otherwise controlled service is refused before anything is changed") {
  FakeCalls calls;
  calls.answer("ecs:DescribeServices",
               parse_json(R"({"services":[],"failures":[{"arn":"x","reason":"MISSING"}]})"));
  CHECK_THROWS_WITH_AS(
      start_rollout(calls, {.cluster = "c", .service = "web", .task_definition = kNew}, {}),
      "service 'web' is MISSING in cluster 'c'", Error);
  calls.answer("ecs:DescribeServices", parse_json(R"({"services":[{"status":"DRAINING"}]})"));
  CHECK_THROWS_WITH_AS(
      start_rollout(calls, {.cluster = "c", .service = "web", .task_definition = kNew}, {}),
      "service 'web' is DRAINING", Error);
  calls.answer(
      "ecs:DescribeServices",
      parse_json(
          R"({"services":[{"status":"ACTIVE","deploymentController":{"type":"CODE_DEPLOY"}}]})"));
  CHECK_THROWS_AS(
      start_rollout(calls, {.cluster = "c", .service = "web", .task_definition = kNew}, {}), Error);
  CHECK(calls.inputs_of("ecs:UpdateService").empty());
}

TEST_CASE("a deployment succeeds when it is PRIMARY and COMPLETED, not before") {
  Story story(
      {service_of({kNewGoing, kOldLeaving}), service_of({kNewGoing}), service_of({kNewDone})});
  CHECK(story.watch_new().outcome == ledger::Verdict::succeeded);
  CHECK(story.at == 3);
  CHECK(story.told.front() == "new web:7: 1 of 1 running; old web:6: 1 of 1 running");
}

TEST_CASE("the breaker's roll back is followed to its end and is a failure with the cause") {
  Deployment failed{"ecs-svc/2", "PRIMARY",
                    kNew,        "FAILED",
                    3,           "ECS deployment circuit breaker: tasks failed to start."};
  Deployment failed_leaving{"ecs-svc/2", "ACTIVE", kNew, "FAILED", 3};
  Deployment back{
      "ecs-svc/3", "PRIMARY",
      kOld,        "IN_PROGRESS",
      0,           "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."};
  Deployment back_done{"ecs-svc/3", "PRIMARY", kOld, "COMPLETED"};
  std::vector<Json> steps = {service_of({kNewGoing, kOldLeaving})};
  SUBCASE("seen as FAILED") { steps.push_back(service_of({failed, kOldLeaving})); }
  SUBCASE("seen after it began") {}
  steps.push_back(service_of({back, failed_leaving}));
  steps.push_back(service_of({back_done}));
  Story story(steps);
  auto verdict = story.watch_new();
  CHECK(verdict.outcome == ledger::Verdict::rolled_back);
  CHECK(to_line(verdict) ==
        "container 'web' exited with code 1; rolled back to web:6; users did not notice: never "
        "fewer than 1 of 1 tasks ran");
  CHECK(story.calls.inputs_of("ecs:UpdateService").empty());
}

TEST_CASE("the breaker may take the old deployment up again under its old id") {
  Story story({service_of({kNewGoing, kOldLeaving}),
               service_of({{"ecs-svc/1", "PRIMARY", kOld, "COMPLETED"}})});
  CHECK(story.watch_new().outcome == ledger::Verdict::rolled_back);
}

TEST_CASE("a roll back that is over when we look is told from another's deployment by the events") {
  Json over = service_of(
      {{"ecs-svc/3", "PRIMARY", kOld, "COMPLETED", 0, "ECS deployment ecs-svc/3 completed."}});
  over["events"] = parse_json(
      R"([{"id":"e3","message":"(service web) rolling back to deployment ecs-svc/3."},
      {"id":"e2","message":"(service web) (deployment ecs-svc/2) deployment failed: tasks failed to start."},
      {"id":"e1","message":"(service web) failed to launch a task with (error ECS was unable to assume the role 'r')."}])");
  Story story({service_of({kNewGoing, kOldLeaving}), over});
  story.calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":[]})"));
  auto verdict = story.watch_new();
  CHECK(verdict.outcome == ledger::Verdict::rolled_back);
  REQUIRE(verdict.causes.size() == 1);
  CHECK(verdict.causes[0].kind == Cause::Kind::resource);
  CHECK(story.calls.inputs_of("ecs:UpdateService").empty());

  over["events"] = parse_json(
      R"([{"id":"e2","message":"(service web) (deployment ecs-svc/22) deployment failed: tasks failed to start."}])");
  Story other({service_of({kNewGoing, kOldLeaving}), over});
  other.calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":[]})"));
  CHECK(other.watch_new().causes.front().kind == Cause::Kind::replaced);
}

TEST_CASE("a breaker without roll back: the service is rolled back from here") {
  Deployment failed{"ecs-svc/2", "PRIMARY",
                    kNew,        "FAILED",
                    3,           "ECS deployment circuit breaker: tasks failed to start."};
  Story story({service_of({failed, kOldLeaving}),
               service_of({{"ecs-svc/3", "PRIMARY", kOld, "IN_PROGRESS"}}),
               service_of({{"ecs-svc/3", "PRIMARY", kOld, "COMPLETED"}})});
  story.calls.answer("ecs:UpdateService", Json::object({{"service", Json::object()}}));
  auto verdict = story.watch_new(true, false);
  CHECK(verdict.outcome == ledger::Verdict::rolled_back);
  CHECK(verdict.rolled_back_to == kOld);
  CHECK(story.calls.inputs_of("ecs:UpdateService").front().get_string("taskDefinition") == kOld);
}

TEST_CASE("without a breaker three failed tasks of one desired are a failure, too") {
  Deployment two{"ecs-svc/2", "PRIMARY", kNew, "IN_PROGRESS", 2};
  Deployment three{"ecs-svc/2", "PRIMARY", kNew, "IN_PROGRESS", 3};
  Story story({service_of({two}), service_of({three}),
               service_of({{"ecs-svc/3", "PRIMARY", kOld, "COMPLETED"}})});
  story.calls.answer("ecs:UpdateService", Json::object({{"service", Json::object()}}));
  CHECK(story.watch_new(false).outcome == ledger::Verdict::rolled_back);
}

TEST_CASE("a roll back that is refused leaves a failure that says so") {
  Deployment failed{"ecs-svc/2", "PRIMARY", kNew, "FAILED", 3};
  Story story({service_of({failed})});
  story.calls.refuse("ecs:UpdateService", "ClientException", "no");
  auto verdict = story.watch_new(true, false);
  CHECK(verdict.outcome == ledger::Verdict::failed);
  CHECK(to_line(verdict) ==
        "container 'web' exited with code 1; rolling back to web:6 was refused: no; users did not "
        "notice: never fewer than 1 of 1 tasks ran");
}

TEST_CASE("a deployment that another one replaced is no success") {
  Story story({service_of(
      {{"ecs-svc/9", "PRIMARY", "arn:aws:ecs:us-east-1:1:task-definition/web:8", "IN_PROGRESS"},
       {"ecs-svc/2", "ACTIVE", kNew, "IN_PROGRESS"}})});
  story.calls.answer("ecs:ListTasks", parse_json(R"({"taskArns":[]})"));
  auto verdict = story.watch_new();
  CHECK(verdict.outcome == ledger::Verdict::failed);
  CHECK(to_line(verdict) ==
        "another deployment took its place: deployment ecs-svc/2 was replaced by ecs-svc/9 "
        "(web:8); users did not notice: never fewer than 1 of 1 tasks ran");
}

TEST_CASE("at the deadline the verdict is unknown and says how far it got") {
  Story story({service_of({kNewGoing})});
  story.limit = std::chrono::milliseconds(20);
  auto verdict = story.watch_new();
  CHECK(verdict.outcome == ledger::Verdict::unknown);
  CHECK(to_line(verdict).find("new web:7: 1 of 1 running") != std::string::npos);
}

TEST_CASE("service events are told once, oldest first, without those from before") {
  Json first = service_of({kNewGoing});
  first["events"] = parse_json(
      R"([{"id":"e2","message":"two"},{"id":"e1","message":"one"},{"id":"e0","message":"zero"}])");
  Json last = service_of({kNewDone});
  last["events"] = parse_json(
      R"([{"id":"e3","message":"three"},{"id":"e2","message":"two"},{"id":"e1","message":"one"},{"id":"e0","message":"zero"}])");
  Story story({first, last});
  Rollout rollout{.cluster = "c",
                  .service = "web",
                  .deployment = "ecs-svc/2",
                  .task_definition = kNew,
                  .last_event = "e0",
                  .accepted_at = std::chrono::steady_clock::now()};
  std::vector<std::string> events;
  WatchOptions options{.shortest_pause = std::chrono::milliseconds(1),
                       .longest_pause = std::chrono::milliseconds(1)};
  options.sink = [&](const RolloutEvent& event) {
    if (event.kind == RolloutEvent::Kind::service_event) events.push_back(event.text);
  };
  watch(story.calls, rollout, options, {});
  CHECK(events == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("a watch ends when it is asked to stop") {
  Story story({service_of({kNewGoing})});
  std::stop_source source;
  Rollout rollout{
      .cluster = "c", .service = "web", .deployment = "ecs-svc/2", .task_definition = kNew};
  WatchOptions options;
  options.sink = [&](const RolloutEvent&) { source.request_stop(); };
  CHECK_THROWS_AS(watch(story.calls, rollout, options, source.get_token()), Cancelled);
}
