// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/rolling.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "cloud/ecs/engine.hpp"
#include "cloud/ecs/task_definition.hpp"
#include "cloud/service.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::cloud;
using namespace slipway::cloud::ecs;

namespace {

std::optional<Json> cases(const std::string& file) {
  const char* given = std::getenv(
      "SLIPWAY_CASES");  // NOLINT(concurrency-mt-unsafe): nobody sets it while tests run
  auto text =
      os::read_file_if_exists(std::filesystem::path(given ? given : "../shared/cases") / file);
  if (!text) {
    MESSAGE("skipped: there are no shared cases here");
    return std::nullopt;
  }
  return formats::parse_json(*text, file);
}

Breaker breaker_of(const Json& item) {
  Breaker breaker{.enabled = true};
  const Json* given = item.find("deploymentCircuitBreaker");
  const Json& settings = given ? *given : item;
  if (given) {
    breaker.enabled = given->get_bool("enable");
    breaker.rolls_back = given->get_bool("rollback");
    breaker.resets_on_healthy = given->get_bool("resetOnHealthyTask", true);
  }
  if (const Json* threshold = settings.find("thresholdConfiguration")) {
    std::string type = threshold->get_string("type");
    breaker.kind = type == "COUNT"               ? Breaker::Kind::count
                   : type == "UNBOUNDED_PERCENT" ? Breaker::Kind::unbounded_percent
                                                 : Breaker::Kind::bounded_percent;
    breaker.value = static_cast<int>(threshold->get_int("value"));
  }
  return breaker;
}

void check_arithmetic(const Json& item) {
  int desired = static_cast<int>(item.get_int("desired"));
  auto bounds = rolling_bounds(desired, static_cast<int>(item.get_int("minimumHealthyPercent")),
                               static_cast<int>(item.get_int("maximumPercent")));
  std::vector<TaskView> tasks;
  for (int i = 0; i < desired; ++i) tasks.push_back({std::to_string(i), false, true, i});
  auto decision = decide(tasks, desired, bounds, true);
  const Json& expect = item.at("expect");
  CHECK_MESSAGE(bounds.min_healthy == expect.get_int("min_healthy"), item.dump());
  CHECK_MESSAGE(bounds.max_total == expect.get_int("max_total"), item.dump());
  CHECK_MESSAGE(decision.start == expect.get_int("first_batch_start"), item.dump());
  CHECK_MESSAGE(static_cast<int>(decision.stop.size()) == expect.get_int("first_batch_stop"),
                item.dump());
  CHECK_MESSAGE(decision.is_stuck == expect.get_bool("stuck"), item.dump());
}

ServiceRecord service_with(const Json& item) {
  ServiceRecord service;
  service.scope = {"111122223333", "eu-west-1"};
  service.cluster = "c";
  service.name = "s";
  service.desired = static_cast<int>(item.get_int("desired"));
  service.breaker = breaker_of(item);
  std::int64_t at = 1;
  for (const auto& earlier : item.get_array("earlier_deployments")) {
    Deployment d;
    d.id = earlier.get_string("name");
    d.status = "INACTIVE";
    d.rollout = earlier.get_string("rolloutState");
    d.finished = d.rollout == "COMPLETED" ? at : 0;
    ++at;
    service.history.insert(service.history.begin(), d);
  }
  Deployment current;
  current.id = "new";
  current.status = "PRIMARY";
  service.deployments.push_back(current);
  return service;
}

// Runs the scheduler over a service whose tasks turn out as the letters say, one after the other.
void check_sequence(const Json& item) {
  World world;
  std::string key = "111122223333/eu-west-1/c/s";
  auto& service = world.services[key] = service_with(item);
  TickHooks hooks;
  hooks.is_in_service = [](const Task&) { return true; };
  hooks.failed_target = [](const Task&) { return std::optional<FailedTarget>(); };
  hooks.definition = [](const std::string&) { return Json::object(); };
  hooks.launch_error = [](const Json&) { return std::string(); };
  hooks.stop = [](Task& task, const std::string& code, const std::string& reason) {
    task.desired_status = "STOPPED";
    task.stop_code = code;
    task.stopped_reason = reason;
  };
  std::int64_t now = 1'000'000;
  auto look = [&] {
    now += 3'600'000;  // past every pause between starts
    tick(world, service, hooks, now);
  };
  look();
  for (const auto& outcome : item.get_array("outcomes")) {
    auto it = std::find_if(world.tasks.begin(), world.tasks.end(), [](const auto& entry) {
      return entry.second.deployment == "new" && entry.second.last_status == "PROVISIONING";
    });
    REQUIRE_MESSAGE(it != world.tasks.end(), item.dump());
    Task& task = it->second;
    if (outcome.as_string() == "F") {
      task.last_status = task.desired_status = "STOPPED";
      task.stop_code = "EssentialContainerExited";
    } else {
      task.last_status = "RUNNING";
      task.started = now;
    }
    if (outcome.as_string() == "U") {
      task.containers.push_back({.name = "a", .health = "UNHEALTHY", .has_health_check = true});
    }
    look();
  }
  look();
  const Json& expect = item.at("expect");
  const Deployment* mine = nullptr;
  for (const auto& d : service.deployments) mine = d.id == "new" ? &d : mine;
  for (const auto& d : service.history) mine = d.id == "new" ? &d : mine;
  REQUIRE(mine);
  CHECK_MESSAGE(mine->rollout == expect.get_string("rolloutState"), item.dump());
  if (expect.contains("failedTasks"))
    CHECK_MESSAGE(mine->progress.failed_tasks == expect.get_int("failedTasks"), item.dump());
  CHECK_MESSAGE(mine->rolled_back_to == expect.get_string("rollback_target"), item.dump());
}

}  // namespace

TEST_CASE("rolling arithmetic, breaker thresholds and sequences of the shared cases") {
  auto all = cases("aws/ecs_rolling.json");
  if (!all) return;
  for (const auto& item : all->get_array("cases")) {
    std::string kind = item.get_string("kind");
    if (kind == "arithmetic") check_arithmetic(item);
    if (kind == "threshold")
      CHECK_MESSAGE(
          breaker_threshold(breaker_of(item), static_cast<int>(item.get_int("desired"))) ==
              item.at("expect").get_int("threshold"),
          item.dump());
    if (kind == "sequence") check_sequence(item);
  }
}

TEST_CASE("task definitions of the shared cases are taken or refused as by ECS") {
  auto all = cases("aws/task_definitions.json");
  if (!all) return;
  for (const auto& item : all->get_array("cases")) {
    if (!item.contains("input")) continue;  // revision numbers need the service
    const Json& expect = item.at("expect");
    std::string code;
    std::string message;
    try {
      Json kept = normalised_task_definition(item.at("input"));
      CHECK_FALSE(kept.contains("colour"));
    } catch (const Refusal& refusal) {
      code = refusal.code();
      message = refusal.message();
    }
    INFO(item.get_string("id"), ": ", code, " ", message);
    if (expect.is_string()) {
      CHECK(code.empty());
    } else if (!expect.contains("any_of")) {
      const auto& kinds = expect.get_array("kind_any_of");
      bool fits = expect.get_string("kind") == code ||
                  std::find(kinds.begin(), kinds.end(), Json(code)) != kinds.end();
      CHECK(fits);
      auto phrases = expect.get_array("phrase_any_of");
      if (expect.contains("phrase")) phrases.push_back(expect.at("phrase"));
      bool has_phrase =
          phrases.empty() || std::any_of(phrases.begin(), phrases.end(), [&](const Json& p) {
            return message.find(p.as_string()) != std::string::npos;
          });
      CHECK(has_phrase);
    }
  }
}

TEST_CASE("old tasks stop only as new ones become healthy, and the newest surplus stops first") {
  std::vector<TaskView> tasks = {{"o1", false, true, 1},
                                 {"o2", false, true, 2},
                                 {"n1", true, false, 3},
                                 {"n2", true, true, 4}};
  auto decision = decide(tasks, 2, rolling_bounds(2, 100, 200), true);
  CHECK(decision.start == 0);
  CHECK(decision.stop == std::vector<std::string>{"o1"});
  tasks = {{"a", true, true, 1}, {"b", true, true, 2}, {"c", true, true, 3}};
  CHECK(decide(tasks, 1, rolling_bounds(1, 100, 200), true).stop ==
        std::vector<std::string>{"c", "b"});
}

TEST_CASE("a service and a task survive being written and read") {
  ServiceRecord service = service_with(formats::parse_json(
      R"({"desired":2,"deploymentCircuitBreaker":{"enable":true,"rollback":true}})"));
  service.tags = Json::array({Json::object({{"key", "k"}, {"value", "v"}})});
  CHECK(to_json(service_from_json(service.scope, to_json(service))) == to_json(service));
  Task task;
  task.cluster = "c";
  task.id = "0123";
  task.containers.push_back({.name = "a", .exit_code = 3, .is_essential = false});
  CHECK(to_json(task_from_json(task.scope, to_json(task))) == to_json(task));
}

TEST_CASE(
    "a deployment whose role is missing launches nothing, fails by the breaker and goes back") {
  World world;
  auto& service = world.services["111122223333/eu-west-1/c/s"] = service_with(formats::parse_json(
      R"({"desired":1,"deploymentCircuitBreaker":{"enable":true,"rollback":true}})"));
  Deployment good;
  good.id = "ecs-svc/1";
  good.rollout = "COMPLETED";
  good.finished = 1;
  service.history.push_back(good);
  TickHooks hooks;
  hooks.is_in_service = [](const Task&) { return true; };
  hooks.failed_target = [](const Task&) { return std::optional<FailedTarget>(); };
  hooks.definition = [](const std::string&) { return Json::object(); };
  hooks.launch_error = [](const Json&) {
    return std::string("ECS was unable to assume the role 'r'");
  };
  hooks.stop = [](Task&, const std::string&, const std::string&) {};
  std::string failed = service.primary()->id;
  for (std::int64_t now = 1'000'000; now < 1'010'000 && service.primary()->id == failed; now += 600)
    tick(world, service, hooks, now);
  CHECK(world.tasks.empty());
  CHECK(service.primary()->id == "ecs-svc/1");
  CHECK(service.events.size() >= 3);
}
