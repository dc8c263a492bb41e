// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/traffic.hpp"

#include <doctest/doctest.h>

#include "cloud/ecs/engine.hpp"
#include "cloud/ecs/pauses.hpp"

namespace slipway::cloud::ecs {

TEST_CASE("blue/green moves all traffic at once, linear in steps, canary a little first") {
  auto blue_green =
      traffic_plan(formats::parse_json(R"({"strategy":"BLUE_GREEN","bakeTimeInMinutes":1})"));
  CHECK(weight_at(blue_green, 0) == 100);
  CHECK(blue_green.bake_ms == 60'000);
  auto linear = traffic_plan(formats::parse_json(
      R"({"strategy":"LINEAR","linearConfiguration":{"stepPercent":40,"stepBakeTimeInMinutes":1}})"));
  CHECK(weight_at(linear, 0) == 40);
  CHECK(next_change_after(linear, 10) == 60'000);
  CHECK(weight_at(linear, 60'000) == 80);
  CHECK(weight_at(linear, 120'000) == 100);
  CHECK(next_change_after(linear, 120'000) == 0);
  auto canary = traffic_plan(formats::parse_json(R"({"strategy":"CANARY"})"));
  CHECK(weight_at(canary, 0) == 5);
  CHECK(weight_at(canary, 599'999) == 5);
  CHECK(weight_at(canary, 600'000) == 100);
  CHECK(traffic_plan(formats::Json::object()).kind == TrafficPlan::Kind::rolling);
}

TEST_CASE("beside each other: all of the new revision starts, the old one goes only at the end") {
  std::vector<TaskView> tasks = {
      {"o1", false, true, 1}, {"o2", false, true, 2}, {"n1", true, true, 3}};
  auto decision = decide_beside(tasks, 2, true, false);
  CHECK(decision.start == 1);
  CHECK(decision.stop.empty());
  CHECK(decide_beside(tasks, 2, true, true).stop == std::vector<std::string>{"o1", "o2"});
  CHECK(decide_beside(tasks, 2, false, false).start == 0);
}

namespace {

Json balancers(const char* group) {
  return Json::array({Json::object(
      {{"targetGroupArn", group},
       {"advancedConfiguration", Json::object({{"alternateTargetGroupArn", "green"},
                                               {"productionListenerRule", "rule"}})}})});
}

Deployment deployment(const char* id, const char* group) {
  Deployment d;
  d.id = id;
  d.load_balancers = balancers(group);
  return d;
}

}  // namespace

TEST_CASE(
    "a blue/green deployment scales up, moves the traffic, bakes, and only then lets the old tasks "
    "go") {
  World world;
  auto& service = world.services["1/r/c/s"];
  service.scope = {"1", "r"};
  service.cluster = "c";
  service.name = "s";
  service.desired = 1;
  service.strategy = formats::parse_json(R"({"strategy":"BLUE_GREEN","bakeTimeInMinutes":1})");
  service.settings["loadBalancers"] = balancers("blue");
  service.deployments = {deployment("new", "green"), deployment("old", "blue")};
  service.deployments[0].status = "PRIMARY";
  service.deployments[0].stage = "SCALE_UP";
  service.deployments[1].rollout = "COMPLETED";
  Task old;
  old.scope = service.scope;
  old.cluster = "c";
  old.id = "o";
  old.service = "s";
  old.deployment = "old";
  old.last_status = "RUNNING";
  old.started = 1;
  old.was_healthy = true;
  world.tasks["1/r/c/o"] = old;
  std::vector<std::string> stopped;
  TickHooks hooks;
  hooks.is_in_service = [](const Task&) { return true; };
  hooks.failed_target = [](const Task&) { return std::optional<FailedTarget>(); };
  hooks.definition = [](const std::string&) { return Json::object(); };
  hooks.launch_error = [](const Json&) { return std::string(); };
  hooks.stop = [&](Task& task, const std::string&, const std::string&) {
    stopped.push_back(task.id);
  };
  std::int64_t now = 1'000'000;
  tick(world, service, hooks, now);
  REQUIRE(world.tasks.size() == 2);
  CHECK(world.shifts.empty());
  for (auto& [key, task] : world.tasks) {
    if (task.deployment != "new") continue;
    task.last_status = "RUNNING";
    task.started = now;
  }
  now += 5000;
  auto again = tick(world, service, hooks, now);
  REQUIRE(world.shifts.size() == 1);
  CHECK(world.shifts[0].rule == "rule");
  CHECK(world.shifts[0].weights ==
        std::vector<std::pair<std::string, int>>{{"green", 100}, {"blue", 0}});
  CHECK(service.primary()->stage == "BAKE_TIME");
  CHECK(again == now + 60'000);
  CHECK(stopped.empty());
  now += 60'000;
  tick(world, service, hooks, now);
  tick(world, service, hooks, now + 1);
  CHECK(stopped == std::vector<std::string>{"o"});
  world.tasks.erase("1/r/c/o");
  tick(world, service, hooks, now + 2);
  CHECK(service.primary()->rollout == "COMPLETED");
}

TEST_CASE("a hook pauses its stages until it is answered, or its time is over") {
  Json strategy = formats::parse_json(R"({"lifecycleHooks":[
    {"targetType":"PAUSE","lifecycleStages":["POST_SCALE_UP","PRE_SCALE_UP"],
     "timeoutConfiguration":{"timeoutInMinutes":2,"action":"CONTINUE"}},
    {"targetType":"PAUSE","lifecycleStages":["POST_SCALE_UP"]}]})");
  Deployment d;
  CHECK(has_pause(strategy, "PRE_SCALE_UP"));
  CHECK_FALSE(has_pause(strategy, "TEST_TRAFFIC_SHIFT"));
  using Kind = PauseVerdict::Kind;
  CHECK(ask_pauses(strategy, d, "TEST_TRAFFIC_SHIFT", 0).kind == Kind::passes);
  auto verdict = ask_pauses(strategy, d, "POST_SCALE_UP", 1000);
  CHECK(verdict.kind == Kind::waits);
  CHECK(verdict.until == 121'000);
  CHECK(d.pauses.size() == 2);
  std::string second = d.pauses.as_array()[1].get_string("hookId");
  CHECK(ask_pauses(strategy, d, "POST_SCALE_UP", 121'000).kind == Kind::waits);  // for the second
  CHECK(pause_details(d).as_array()[0].get_string("status") == "TIMED_OUT");
  CHECK_FALSE(answer_pause(d, "other", true));
  CHECK(answer_pause(d, second, true));
  CHECK_FALSE(answer_pause(d, second, true));
  CHECK(ask_pauses(strategy, d, "POST_SCALE_UP", 121'001).kind == Kind::passes);
  d.pauses = Json::array();
  ask_pauses(strategy, d, "POST_SCALE_UP", 0);
  CHECK(ask_pauses(strategy, d, "POST_SCALE_UP", 24 * 3'600'000).kind == Kind::rolls_back);
}

}  // namespace slipway::cloud::ecs
