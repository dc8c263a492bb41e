// SPDX-License-Identifier: Apache-2.0
#include "deploy/compare.hpp"

#include <doctest/doctest.h>

using namespace slipway::deploy;
using slipway::formats::Json;
using slipway::formats::parse_json;

namespace {

const char* const kRunning =
    R"({"family":"web","revision":7,"taskDefinitionArn":"a","status":"ACTIVE","cpu":"256","placementConstraints":[],"volumes":[],
  "containerDefinitions":[{"name":"web","image":"r/web:1","cpu":0,"essential":true,"mountPoints":[],"portMappings":[{"containerPort":80,"hostPort":80,"protocol":"tcp"}],
  "environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"secrets":[{"name":"S","valueFrom":"arn:s"}]}]})";

}  // namespace

TEST_CASE("what the cloud adds by itself and another order are no change") {
  auto after = parse_json(
      R"({"family":"web","cpu":"256","containerDefinitions":[{"secrets":[{"name":"S","valueFrom":"arn:s"}],"image":"r/web:1","name":"web",
    "portMappings":[{"containerPort":80}],"environment":[{"name":"B","value":"2"},{"name":"A","value":"1"}]}]})");
  CHECK(compare(parse_json(kRunning), after).empty());
}

TEST_CASE("images, variables, secrets and sizes are told by name") {
  auto after = parse_json(
      R"({"family":"web","cpu":"512","containerDefinitions":[{"name":"web","image":"r/web:2","portMappings":[{"containerPort":80}],
    "environment":[{"name":"A","value":"9"},{"name":"C","value":"3"}],"secrets":[{"name":"S","valueFrom":"arn:t"}]}]})");
  auto changes = compare(parse_json(kRunning), after);
  CHECK(to_text(changes) ==
        "  ~ cpu: 256 → 512\n"
        "  ~ web.environment.A: 1 → 9\n"
        "  - web.environment.B: 2\n"
        "  + web.environment.C: 3\n"
        "  ~ web.image: r/web:1 → r/web:2\n"
        "  ~ web.secrets.S: from arn:s → from arn:t\n");
}

TEST_CASE("where nothing runs everything is new") {
  auto changes = compare(
      Json(),
      parse_json(R"({"family":"web","containerDefinitions":[{"name":"web","image":"r/web:2"}]})"));
  CHECK(changes == std::vector<Change>{{"family", "", "web"}, {"web.image", "", "r/web:2"}});
}
