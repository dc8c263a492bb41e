// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollback.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

std::string arn(const std::string& service, int revision) {
  return "arn:aws:ecs:us-east-1:1:task-definition/" + service + ":" + std::to_string(revision);
}

// An environment with a history.
class Past {
 public:
  Past() : directory_(std::filesystem::temp_directory_path() / ("rollback-" + uuid())) {
    std::filesystem::create_directory(directory_);
    ledger.emplace(directory_ / "ledger.db");
  }
  Past(const Past&) = delete;
  Past& operator=(const Past&) = delete;
  ~Past() {
    ledger.reset();
    std::filesystem::remove_all(directory_);
  }
  void add(const std::string& service, const std::string& sha, int revision,
           ledger::Verdict verdict = ledger::Verdict::succeeded,
           const std::string& cause = "deploy") {
    auto id = ledger->begin({.environment = "staging",
                             .cluster = "c",
                             .service = service,
                             .cause = cause,
                             .sha = sha,
                             .task_definition = arn(service, revision)});
    ledger->end(id, verdict, "");
  }
  // The cloud was asked for it, and has not ended it.
  void start(const std::string& service, const std::string& sha, int revision) {
    ledger->issuing(ledger->begin({.environment = "staging",
                                   .cluster = "c",
                                   .service = service,
                                   .sha = sha,
                                   .task_definition = arn(service, revision)}));
  }
  // "web:2>1 api:2>1"
  std::string plan(const std::string& target = "") {
    std::string text;
    for (const auto& step : plan_rollback(*ledger, "staging", target)) {
      auto revision = [](const std::string& name) { return name.substr(name.rfind(':') + 1); };
      text += fmt::format("{}{}:{}>{}", text.empty() ? "" : " ", step.to.service,
                          revision(step.from.task_definition), revision(step.to.task_definition));
    }
    return text;
  }

  std::optional<ledger::Ledger> ledger;

 private:
  std::filesystem::path directory_;
};

}  // namespace

TEST_CASE(
    "going back takes every service of the environment to the release before, last deployed "
    "first") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("web", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  past.add("web", "bbbb2222", 2);
  CHECK(past.plan() == "web:2>1 api:2>1");
}

TEST_CASE("a release that failed is neither where we are nor where we go") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2, ledger::Verdict::rolled_back);
  past.add("api", "cccc3333", 3);
  past.add("api", "dddd4444", 4, ledger::Verdict::rolled_back);
  CHECK(past.plan() == "api:3>1");
}

TEST_CASE("a release under way is where we are: going back ends it") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("web", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  past.start("web", "bbbb2222", 2);
  CHECK(past.plan() == "web:2>1 api:2>1");
  Past alone;
  alone.add("api", "aaaa1111", 1);
  alone.add("api", "bbbb2222", 2);
  alone.start("api", "cccc3333", 3);
  CHECK(alone.plan() == "api:3>2");
  CHECK(alone.plan("bbbb2222") == "api:3>2");
  Past same;
  same.add("api", "aaaa1111", 1);
  same.add("api", "bbbb2222", 2);
  same.start("api", "bbbb2222", 3);
  CHECK(same.plan() == "api:3>2");
}

TEST_CASE("what ran before is where we go, also when a rollback had brought it back") {
  Past past;
  past.add("web", "aaaa1111", 1);
  past.add("web", "bbbb2222", 2);
  past.add("web", "aaaa1111", 1, ledger::Verdict::succeeded, "rollback");
  past.start("web", "cccc3333", 3);
  CHECK(past.plan() == "web:3>1");
  past.add("web", "dddd4444", 4);
  CHECK(past.plan() == "web:4>1");
}

TEST_CASE("a service that the last release did not reach stays") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("web", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  past.add("web", "bbbb2222", 2, ledger::Verdict::rolled_back);
  CHECK(past.plan() == "api:2>1");
}

TEST_CASE("going back twice goes two releases back") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  past.add("api", "cccc3333", 3);
  CHECK(past.plan() == "api:3>2");
  past.add("api", "bbbb2222", 2, ledger::Verdict::succeeded, "rollback");
  CHECK(past.plan() == "api:2>1");
}

TEST_CASE("a commit, a part of one and a revision name the release to go to") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("web", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  past.add("api", "cccc3333", 3);
  CHECK(past.plan("aaaa") == "api:3>1");
  CHECK(past.plan("bbbb2222") == "api:3>2");
  CHECK(past.plan("api:1") == "api:3>1");
  CHECK(past.plan(arn("api", 2)) == "api:3>2");
  CHECK(past.plan("cccc3333").empty());
}

TEST_CASE("without such a release it says what there is") {
  Past past;
  CHECK_THROWS_WITH_AS(past.plan(), "'staging' has no earlier good release: none has succeeded yet",
                       Error);
  past.add("api", "aaaa1111", 1);
  CHECK_THROWS_WITH_AS(past.plan(), "'staging' has no earlier good release: it has aaaa1111",
                       Error);
  CHECK_THROWS_WITH_AS(past.plan("ffff"), "'staging' has no good release 'ffff': it has aaaa1111",
                       Error);
}

TEST_CASE("a plan is carried out by the recorded task definition, watched and written down") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  FakeCalls calls;
  std::string running = arn("api", 2);
  auto service = [&] {
    return Json::object(
        {{"status", "ACTIVE"},
         {"taskDefinition", running},
         {"deployments",
          Json::array({Json::object({{"id", "ecs-svc/" + running.substr(running.size() - 1)},
                                     {"status", "PRIMARY"},
                                     {"taskDefinition", running},
                                     {"rolloutState", "COMPLETED"}})})}});
  };
  calls.on("ecs:DescribeServices", [&](const Json&) {
    return aws::Answer(Json::object({{"services", Json::array({service()})}}));
  });
  calls.on("ecs:UpdateService", [&](const Json& input) {
    running = input.get_string("taskDefinition");
    return aws::Answer(Json::object({{"service", service()}}));
  });
  auto results =
      roll_back(calls, *past.ledger, plan_rollback(*past.ledger, "staging", ""), "ann", {}, {}, {});
  REQUIRE(results.size() == 1);
  CHECK(results.front().verdict.ok());
  CHECK(running == arn("api", 1));
  auto written = past.ledger->latest("staging", "api");
  CHECK(written->cause == "rollback");
  CHECK(written->sha == "aaaa1111");
  CHECK(written->who == "ann");
  CHECK(written->verdict == ledger::Verdict::succeeded);
  CHECK(written->previous_task_definition == arn("api", 2));
}

TEST_CASE("an update that is refused has failed, and is written down as that") {
  Past past;
  past.add("api", "aaaa1111", 1);
  past.add("api", "bbbb2222", 2);
  FakeCalls calls;
  calls.answer("ecs:DescribeServices", Json::object({{"services", Json::array()}}));
  auto results =
      roll_back(calls, *past.ledger, plan_rollback(*past.ledger, "staging", ""), "ann", {}, {}, {});
  CHECK(results.front().verdict.causes.front().kind == Cause::Kind::refused);
  CHECK(past.ledger->latest("staging", "api")->verdict == ledger::Verdict::failed);
}
