// SPDX-License-Identifier: Apache-2.0
#include "deploy/settings.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::deploy;

namespace {

std::string trouble_of(const std::string& text) {
  try {
    read_settings(text, "slipway.yml");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a canary takes a part for whole minutes; anything else is told with its place") {
  auto canary =
      read_settings("version: 1\nenvironments:\n  live:\n    canary: {percent: 20, bake: 2m}\n",
                    "s")
          .of("live")
          .canary;
  REQUIRE(canary);
  CHECK(canary->percent == 20);
  CHECK(canary->bake == std::chrono::minutes(2));
  CHECK_THROWS_WITH_AS(read_settings("environments:\n  live:\n    canary: {percent: 0}\n", "s"),
                       doctest::Contains("percent is from 1 to 99"), Error);
  CHECK_THROWS_WITH_AS(read_settings("environments:\n  live:\n    canary: {bake: 90s}\n", "s"),
                       doctest::Contains("whole minutes"), Error);
}

TEST_CASE("of two protections the stricter of each counts") {
  Protection committed{.require_tests = true,
                       .promote_from = "staging",
                       .soak = std::chrono::minutes(10),
                       .approvals = 1};
  auto both = stricter({.approvals = 2}, committed);
  CHECK(both.require_tests);
  CHECK(both.promote_from == "staging");
  CHECK(both.soak == std::chrono::minutes(10));
  CHECK(both.approvals == 2);
}

}  // namespace

TEST_CASE("all that slipway.yml may say is read") {
  auto settings = read_settings(R"(
version: 1
environments:
  staging:
    order: [db, [api, worker]]
    migrations: {service: api, command: [python, -m, migrate], timeout: 1h30m}
    notifications: team
  production:
    protection: {require_tests: true, promote_from: staging, soak: 10m, approvals: 2}
    services:
      api: {cluster: shop, task_definition: td.json}
notifications:
  team: {kind: slack, url: $SLACK}
tfstate: terraform.tfstate
)",
                                "slipway.yml");
  const auto& staging = settings.of("staging");
  CHECK(staging.order == std::vector<std::vector<std::string>>{{"db"}, {"api", "worker"}});
  CHECK(staging.migration->command == std::vector<std::string>{"python", "-m", "migrate"});
  CHECK(staging.migration->timeout == std::chrono::minutes(90));
  CHECK(staging.notifications == std::vector<std::string>{"team"});
  const auto& protection = settings.of("production").protection;
  CHECK(protection.require_tests);
  CHECK(protection.promote_from == "staging");
  CHECK(protection.soak == std::chrono::minutes(10));
  CHECK(protection.approvals == 2);
  CHECK(settings.services.at("production").front().cluster == "shop");
  CHECK(settings.notifications.front().kind == "slack");
  CHECK(settings.tfstate == "terraform.tfstate");
  CHECK(settings.of("elsewhere").order.empty());
  CHECK(read_settings("", "slipway.yml").environments.empty());
}

TEST_CASE("what is wrong is told with its place and what would be right") {
  CHECK(trouble_of("environment: {}")
            .starts_with("slipway.yml:1:1: 'environment' is not known here: there are "
                         "environments, notifications"));
  CHECK(trouble_of("environments:\n  staging:\n    protection: {soak: soon}") ==
        "slipway.yml:3:24: expected a time such as 90s, 10m or 1h30m");
  CHECK(
      trouble_of("environments:\n  a: {protection: {approvals: many}}").find("expected a number") !=
      std::string::npos);
  CHECK(trouble_of("environments:\n  a: {migrations: {service: api}}")
            .find("need a service and a command") != std::string::npos);
  CHECK(trouble_of("environments:\n  a: {notifications: [nobody]}")
            .find("'nobody', which is not among notifications") != std::string::npos);
  CHECK(trouble_of("notifications:\n  a: {kind: pigeon}")
            .find("slack, slack-bot, github or webhook") != std::string::npos);
  CHECK(trouble_of("notifications:\n  a: {kind: webhook}").find("needs a url") !=
        std::string::npos);
  CHECK(trouble_of("tfstate: a\ntfstate: b").find("already defined") != std::string::npos);
  CHECK(trouble_of("version: 2").find("version is 1") != std::string::npos);
}

TEST_CASE("spans of time") {
  CHECK(parse_span("90s") == std::chrono::seconds(90));
  CHECK(parse_span("1h30m") == std::chrono::minutes(90));
  for (const char* wrong : {"", "10", "m", "1x", "-1s", "1.5h", "9999999s"})
    CHECK_FALSE(parse_span(wrong).has_value());
}
