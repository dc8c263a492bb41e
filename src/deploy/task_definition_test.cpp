// SPDX-License-Identifier: Apache-2.0
#include "deploy/task_definition.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;
using formats::parse_json;

TEST_CASE("a task definition is read from JSON and from YAML alike") {
  Json expected =
      parse_json(R"({"family":"web","containerDefinitions":[{"name":"web","essential":true}]})");
  CHECK(read_task_definition(expected.pretty(), "a.json") == expected);
  CHECK(read_task_definition("family: web\ncontainerDefinitions:\n- name: web\n  essential: true\n",
                             "a.yml") == expected);
}

TEST_CASE("what is no task definition is refused with its place") {
  CHECK_THROWS_WITH_AS(read_task_definition("{\"a\": }", "a.json"), doctest::Contains("a.json:1:"),
                       Error);
  CHECK_THROWS_WITH_AS(read_task_definition("- a\n", "a.yml"), doctest::Contains("found an array"),
                       Error);
  CHECK_THROWS_WITH_AS(read_task_definition(R"({"taskDefinition":{"family":"a"}})", "a.json"),
                       doctest::Contains("describe-task-definition"), Error);
}

TEST_CASE("preparing removes what is empty at any depth and what cannot be registered") {
  auto prepared = prepare(parse_json(
      R"({"family":"web","revision":7,"status":"ACTIVE","volumes":[],"memory":null,"cpu":"",
    "containerDefinitions":[{"name":"web","command":[],"environment":[{"name":"A","value":""},{"name":"B"}],
                             "logConfiguration":{"options":{}}}]})"));
  CHECK(prepared.input == parse_json(R"({"family":"web","containerDefinitions":[{"name":"web",
    "environment":[{"name":"A","value":""},{"name":"B","value":""}]}]})"));
  CHECK(prepared.ignored == std::vector<std::string>{"revision", "status"});
}

TEST_CASE("keys named to be kept stay though empty") {
  auto prepared = prepare(parse_json(R"({"family":"web","volumes":[],"tags":[]})"), {"tags"});
  CHECK(prepared.input == parse_json(R"({"family":"web","tags":[]})"));
}

TEST_CASE("the tags of a described task definition come with it; an unknown one is nothing") {
  FakeCalls calls;
  calls.answer(
      "ecs:DescribeTaskDefinition",
      parse_json(R"({"taskDefinition":{"family":"web"},"tags":[{"key":"a","value":"b"}]})"));
  CHECK(describe_task_definition(calls, "web", {})->at("tags").size() == 1);
  calls.refuse("ecs:DescribeTaskDefinition", "ClientException",
               "Unable to describe task definition.");
  CHECK_FALSE(describe_task_definition(calls, "web", {}).has_value());
}

TEST_CASE("names are cut out of ARNs") {
  CHECK(brief_task_definition("arn:aws:ecs:us-east-1:123456789012:task-definition/web:7") ==
        "web:7");
  CHECK(brief_task_definition("web:7") == "web:7");
  CHECK(last_part("arn:aws:ecs:us-east-1:123456789012:cluster/myapp") == "myapp");
}
