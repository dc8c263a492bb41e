// SPDX-License-Identifier: Apache-2.0
#include "deploy/render.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;
using formats::parse_json;

namespace {

Json two_containers() {
  return parse_json(R"({"family":"app","revision":3,"containerDefinitions":[
    {"name":"web","image":"old","environment":[{"name":"A","value":"1"},{"name":"Z","value":"26"}]},
    {"name":"log","image":"old"}]})");
}

Json render_web(RenderRequest request) {
  request.containers = {"web"};
  request.image = "new";
  return render(two_containers(), request).at("containerDefinitions").at(std::size_t{0});
}

}  // namespace

TEST_CASE("the image goes into the named containers only, what cannot be registered is dropped") {
  Json out = render(two_containers(), {.containers = {"web"}, .image = "new"});
  CHECK(out.at("containerDefinitions").at(std::size_t{0}).get_string("image") == "new");
  CHECK(out.at("containerDefinitions").at(1).get_string("image") == "old");
  CHECK_FALSE(out.contains("revision"));
  Json both = render(two_containers(), {.containers = {"web", "log"}, .image = "new"});
  CHECK(both.at("containerDefinitions").at(1).get_string("image") == "new");
}

TEST_CASE("variables are replaced in place or added, split at the first '='") {
  Json web = render_web({.environment = {"A=b=c", "N=", "# c=4"}});
  CHECK(web.at("environment") ==
        parse_json(R"([{"name":"A","value":"b=c"},{"name":"Z","value":"26"},
    {"name":"N","value":""},{"name":"# c","value":"4"}])"));
}

TEST_CASE("a variable without '=' is refused by its text") {
  CHECK_THROWS_WITH_AS(render_web({.environment = {"nonsense"}}),
                       doctest::Contains("Cannot parse the environment variable 'nonsense'"),
                       Error);
}

TEST_CASE(
    "secrets, labels, log options, environment files and the command are put in as the official "
    "action does") {
  Json web = render_web({.secrets = {"KEY=arn:aws:ssm:us-east-1:1:parameter/k"},
                         .env_files = {"arn:aws:s3:::b/e.env"},
                         .docker_labels = {"x=a=b"},
                         .log_driver = "awslogs",
                         .log_options = {"awslogs-group=g"},
                         .command = "run  it"});
  CHECK(web.at("secrets") ==
        parse_json(R"([{"name":"KEY","valueFrom":"arn:aws:ssm:us-east-1:1:parameter/k"}])"));
  CHECK(web.at("environmentFiles") ==
        parse_json(R"([{"value":"arn:aws:s3:::b/e.env","type":"s3"}])"));
  CHECK(web.at("dockerLabels").get_string("x") == "a");
  CHECK(web.at("logConfiguration") ==
        parse_json(R"({"logDriver":"awslogs","options":{"awslogs-group":"g"}})"));
  CHECK(web.at("command") == parse_json(R"(["run","","it"])"));
}

TEST_CASE("a wrong container, log driver or role is named") {
  CHECK_THROWS_WITH_AS(render(two_containers(), {.containers = {"api"}, .image = "new"}),
                       doctest::Contains("no 'api' among 'web', 'log'"), Error);
  CHECK_THROWS_WITH_AS(render_web({.log_driver = "stdout"}),
                       doctest::Contains("'stdout' is not a log driver"), Error);
  CHECK_THROWS_WITH_AS(
      render(two_containers(), {.containers = {"web"}, .image = "new", .task_role_arn = "my-role"}),
      doctest::Contains("task-role-arn"), Error);
  Json out = render(
      two_containers(),
      {.containers = {"web"}, .image = "new", .task_role_arn = "arn:aws:iam::123456789012:role/r"});
  CHECK(out.get_string("taskRoleArn") == "arn:aws:iam::123456789012:role/r");
}

TEST_CASE("without containerDefinitions there is nothing to render") {
  CHECK_THROWS_WITH_AS(render(parse_json("{}"), {.containers = {"web"}, .image = "new"}),
                       doctest::Contains("containerDefinitions"), Error);
}
