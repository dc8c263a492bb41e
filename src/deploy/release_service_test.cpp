// SPDX-License-Identifier: Apache-2.0
#include "deploy/release_service.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "deploy/fake_calls.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

std::string arn(int revision) {
  return "arn:aws:ecs:us-east-1:1:task-definition/web:" + std::to_string(revision);
}

// A cloud with one service, where the answers of single calls may be lost on their way back.
struct Cloud {
  Cloud() {
    calls.on("ecs:DescribeTaskDefinition", [this](const Json&) {
      if (revision == 0)
        return aws::Answer(
            aws::ServiceError{"ClientException", "Unable to describe task definition.", 400, "r"});
      return aws::Answer(Json::object({{"taskDefinition", definition()}}));
    });
    calls.on("ecs:RegisterTaskDefinition", [this](const Json& input) {
      ++revision;
      content = input;
      if (lose_register-- > 0) fail(Fault::unavailable, "the connection broke");
      return aws::Answer(Json::object({{"taskDefinition", definition()}}));
    });
    calls.on("ecs:DescribeServices", [this](const Json&) {
      return aws::Answer(Json::object({{"services", Json::array({service()})}}));
    });
    calls.on("ecs:UpdateService", [this](const Json& input) {
      if (refuse_update)
        return aws::Answer(
            aws::ServiceError{"ClientException", "TaskDefinition is inactive", 400, "r"});
      if (drop_update-- > 0) fail(Fault::unavailable, "the connection broke");
      ++deployment;
      running = input.get_string("taskDefinition");
      if (lose_update-- > 0) fail(Fault::unavailable, "the connection broke");
      return aws::Answer(Json::object({{"service", service()}}));
    });
    calls.answer("ecs:ListTasks", Json::object({{"taskArns", Json::array()}}));
  }
  [[nodiscard]] Json definition() const {
    Json all = content;
    all["taskDefinitionArn"] = arn(revision);
    all["revision"] = revision;
    return all;
  }
  [[nodiscard]] Json service() const {
    return Json::object(
        {{"status", "ACTIVE"},
         {"taskDefinition", running},
         {"desiredCount", 1},
         {"deployments", Json::array({Json::object({{"id", "ecs-svc/" + std::to_string(deployment)},
                                                    {"status", "PRIMARY"},
                                                    {"taskDefinition", running},
                                                    {"rolloutState", state},
                                                    {"runningCount", 1}})})}});
  }
  Released release(const std::stop_token& stop = {}) {
    ServiceRelease what;
    what.intent = {
        .environment = "staging", .cluster = "c", .service = "web", .sha = "abc", .who = "ann"};
    what.definition = Json::object({{"family", "web"}, {"cpu", "256"}});
    what.update = {.cluster = "c", .service = "web"};
    return release_service(calls, &ledger, what, stop);
  }

  FakeCalls calls;
  os::TempDir directory;
  ledger::Ledger ledger{directory.path() / "ledger.db"};
  Json content = Json::object({{"family", "web"}});
  int revision = 6;
  int deployment = 1;
  std::string running = arn(6);
  std::string state = "COMPLETED";
  int lose_register = 0;
  int lose_update = 0;
  int drop_update = 0;
  bool refuse_update = false;
};

}  // namespace

TEST_CASE("a release is registered, updated, watched and written down step by step") {
  Cloud cloud;
  auto released = cloud.release();
  CHECK(released.verdict.ok());
  CHECK(cloud.running == arn(7));
  auto written = cloud.ledger.latest("staging", "web");
  CHECK(written->task_definition == arn(7));
  CHECK(written->previous_task_definition == arn(6));
  CHECK(written->deployment == "ecs-svc/2");
  std::vector<std::string> kinds;
  for (const auto& entry : cloud.ledger.entries()) kinds.push_back(entry.kind);
  CHECK(kinds == std::vector<std::string>{"release.begun", "release.registered", "release.issuing",
                                          "release.accepted", "release.ended"});
}

TEST_CASE("when the answer of RegisterTaskDefinition is lost there is one more revision, not two") {
  Cloud cloud;
  cloud.lose_register = 1;
  CHECK(cloud.release().verdict.ok());
  CHECK(cloud.revision == 7);
}

TEST_CASE("when the answer of UpdateService is lost its deployment is adopted") {
  Cloud cloud;
  cloud.lose_update = 1;
  CHECK(cloud.release().rollout.deployment == "ecs-svc/2");
  CHECK(cloud.deployment == 2);
  CHECK(cloud.calls.inputs_of("ecs:UpdateService").size() == 1);
}

TEST_CASE("when UpdateService never arrived it is called again") {
  Cloud cloud;
  cloud.drop_update = 1;
  CHECK(cloud.release().verdict.ok());
  CHECK(cloud.deployment == 2);
}

TEST_CASE("what the cloud refuses is a failed release with its words") {
  Cloud cloud;
  cloud.refuse_update = true;
  auto released = cloud.release();
  CHECK(released.verdict.outcome == ledger::Verdict::failed);
  CHECK(released.verdict.causes.front().kind == Cause::Kind::refused);
  CHECK(cloud.ledger.latest("staging", "web")->reason.find("TaskDefinition is inactive") !=
        std::string::npos);
}

TEST_CASE("a start of another kind is journaled and watched alike; a lost answer is unknown") {
  Cloud cloud;
  ServiceRelease what;
  what.intent = {
      .environment = "staging", .cluster = "c", .service = "web", .task_definition = arn(6)};
  what.update = {.cluster = "c", .service = "web"};
  what.start = [](const std::string& definition) {
    return Rollout{.cluster = "c", .deployment = "d-1", .task_definition = definition};
  };
  what.observe = [](const Rollout& rollout) {
    bool is_ours = rollout.deployment == "d-1" && rollout.task_definition == arn(6);
    return Verdict{.outcome = is_ours ? ledger::Verdict::succeeded : ledger::Verdict::failed};
  };
  SUBCASE("it succeeds") {
    CHECK(release_service(cloud.calls, &cloud.ledger, what, {}).verdict.ok());
    CHECK(cloud.ledger.latest("staging", "web")->deployment == "d-1");
  }
  SUBCASE("its answer is lost") {
    what.start = [](const std::string&) -> Rollout {
      fail(Fault::unavailable, "the connection broke");
    };
    CHECK_THROWS_AS(release_service(cloud.calls, &cloud.ledger, what, {}), Error);
    CHECK(cloud.ledger.latest("staging", "web")->verdict == ledger::Verdict::unknown);
  }
  SUBCASE("it is refused") {
    what.start = [](const std::string&) -> Rollout {
      fail(Fault::bad_input, "DeploymentGroupDoesNotExistException");
    };
    auto released = release_service(cloud.calls, &cloud.ledger, what, {});
    CHECK(released.verdict.outcome == ledger::Verdict::failed);
    CHECK(released.verdict.causes.front().kind == Cause::Kind::refused);
  }
  CHECK(cloud.calls.inputs_of("ecs:UpdateService").empty());
}

TEST_CASE("a release whose process died is found in the cloud and never issued again") {
  Cloud cloud;
  ledger::Release intent{
      .environment = "staging", .cluster = "c", .service = "web", .task_definition = arn(6)};
  std::vector<std::string> told;
  auto settle = [&](std::int64_t id) {
    cloud.ledger.end(id, ledger::Verdict::lost, "its process died");
    settle_lost(cloud.calls, cloud.ledger, "staging", {},
                [&](const std::string& line) { told.push_back(line); }, {});
    return *cloud.ledger.find(id);
  };
  SUBCASE("before it was issued") {
    auto id = cloud.ledger.begin(intent);
    CHECK(settle(id).reason == "its process died before the cloud was asked: nothing was changed");
  }
  SUBCASE("after it was issued, its answer not written down") {
    auto id = cloud.ledger.begin(intent);
    cloud.ledger.issuing(id);
    auto found = settle(id);
    CHECK(found.verdict == ledger::Verdict::succeeded);
    CHECK(found.deployment == "ecs-svc/1");
  }
  SUBCASE("after it was accepted") {
    auto id = cloud.ledger.begin(intent);
    cloud.ledger.issuing(id);
    cloud.ledger.accepted(id, "ecs-svc/1");
    CHECK(settle(id).verdict == ledger::Verdict::succeeded);
  }
  SUBCASE("another one runs by now") {
    auto id = cloud.ledger.begin(intent);
    cloud.ledger.issuing(id);
    cloud.ledger.accepted(id, "ecs-svc/0");
    CHECK(settle(id).verdict == ledger::Verdict::failed);
  }
  CHECK(told.size() == 1);
  CHECK(cloud.calls.inputs_of("ecs:UpdateService").empty());
}

TEST_CASE(
    "a release whose end nobody saw is known once it has ended, if it is the service's last") {
  Cloud cloud;
  auto begin = [&](const std::string& deployment) {
    auto id = cloud.ledger.begin(
        {.environment = "staging", .cluster = "c", .service = "web", .task_definition = arn(6)});
    cloud.ledger.issuing(id);
    cloud.ledger.accepted(id, deployment);
    cloud.ledger.end(id, ledger::Verdict::unknown, "nobody waited for its end");
    return id;
  };
  auto settle = [&] { settle_lost(cloud.calls, cloud.ledger, "staging", {}, {}, {}); };
  auto gone = begin("ecs-svc/0");
  settle();
  CHECK(cloud.ledger.find(gone)->verdict == ledger::Verdict::unknown);
  auto id = begin("ecs-svc/1");
  cloud.state = "IN_PROGRESS";
  settle();
  CHECK(cloud.ledger.find(id)->verdict == ledger::Verdict::unknown);
  cloud.state = "COMPLETED";
  settle();
  CHECK(cloud.ledger.find(id)->verdict == ledger::Verdict::succeeded);
  CHECK(cloud.ledger.find(id)->is_settled);
  CHECK(cloud.ledger.find(gone)->verdict == ledger::Verdict::unknown);
  CHECK(cloud.calls.inputs_of("ecs:UpdateService").empty());
  CHECK_FALSE(cloud.ledger.verify());
}

TEST_CASE("who lost the environment's lock issues nothing") {
  Cloud cloud;
  auto mine = cloud.ledger.try_lock("staging", "run 7", std::chrono::seconds(30), false);
  cloud.ledger.try_lock("staging", "rollback", std::chrono::seconds(30), true);
  ServiceRelease what;
  what.intent = {
      .environment = "staging", .cluster = "c", .service = "web", .task_definition = arn(6)};
  what.intent.epoch = mine.epoch;
  what.update = {.cluster = "c", .service = "web"};
  CHECK(release_service(cloud.calls, &cloud.ledger, what, {}).verdict.outcome ==
        ledger::Verdict::failed);
  CHECK(cloud.calls.inputs_of("ecs:UpdateService").empty());
}
