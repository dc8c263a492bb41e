// SPDX-License-Identifier: Apache-2.0
#include "deploy/codedeploy.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "deploy/fake_calls.hpp"
#include "deploy/release_service.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

const char* const kArn = "arn:aws:ecs:us-east-1:1:task-definition/web:7";
const char* const kSpec =
    "version: 1\nResources:\n- TargetService:\n    Type: AWS::ECS::Service\n    Properties: "
    "{TaskDefinition: x}\n";

// A CodeDeploy whose answers to CreateDeployment may be lost after, or before, it has made the deployment.
struct Cloud {
  Cloud() {
    calls.on("codedeploy:CreateDeployment", [this](const Json& input) {
      if (drop-- > 0) fail(Fault::unavailable, "the connection broke");
      made.push_back(input.at("revision"));
      if (lose-- > 0) fail(Fault::unavailable, "the connection broke");
      return aws::Answer(Json::object({{"deploymentId", "d-" + std::to_string(made.size())}}));
    });
    calls.on("codedeploy:ListDeployments", [this](const Json& input) {
      CHECK(input.at("createTimeRange").get_number("start") > 0);
      Json ids = Json::array();
      for (std::size_t at = made.size(); at > 0; --at) ids.push_back("d-" + std::to_string(at));
      return aws::Answer(Json::object({{"deployments", ids}}));
    });
    calls.on("codedeploy:GetDeployment", [this](const Json& input) {
      auto at = std::stoul(input.get_string("deploymentId").substr(2)) - 1;
      return aws::Answer(
          Json::object({{"deploymentInfo",
                         Json::object({{"status", "Succeeded"}, {"revision", made.at(at)}})}}));
    });
    calls.on("ecs:DescribeServices", [](const Json&) {
      return aws::Answer(Json::object(
          {{"services",
            Json::array({Json::object(
                {{"status", "ACTIVE"},
                 {"deploymentController", Json::object({{"type", "CODE_DEPLOY"}})}})})}}));
    });
  }
  std::string start() {
    return start_codedeploy(calls,
                            {.cluster = "c",
                             .service = "web",
                             .task_definition = kArn,
                             .app_spec = kSpec,
                             .app_spec_file = "appspec.yaml"},
                            {});
  }

  FakeCalls calls;
  std::vector<Json> made;  // revisions
  int lose = 0;
  int drop = 0;
};

}  // namespace

TEST_CASE("when the answer of CreateDeployment is lost its deployment is adopted") {
  Cloud cloud;
  cloud.made.push_back(Json::object(
      {{"revisionType", "String"},
       {"string", Json::object({{"content", R"({"taskDefinition":"arn:…/web:70"})"}})}}));
  cloud.lose = 1;
  CHECK(cloud.start() == "d-2");
  CHECK(cloud.made.size() == 2);
}

TEST_CASE("when CreateDeployment did not arrive it is made once more") {
  Cloud cloud;
  cloud.drop = 1;
  CHECK(cloud.start() == "d-1");
  CHECK(cloud.made.size() == 1);
}

TEST_CASE("after a crash CodeDeploy is asked what became of the release") {
  Cloud cloud;
  os::TempDir directory;
  ledger::Ledger ledger{directory.path() / "ledger.db"};
  auto lose = [&](bool is_issued) {
    auto id = ledger.begin({.environment = "staging", .cluster = "c", .service = "web"});
    ledger.registered(id, kArn);
    if (is_issued) ledger.issuing(id);
    ledger.end(id, ledger::Verdict::lost, "its process died before the end was seen");
    return id;
  };
  auto id = lose(true);
  cloud.start();
  settle_lost(cloud.calls, ledger, "staging", {}, {}, {});
  CHECK(ledger.find(id)->verdict == ledger::Verdict::succeeded);
  CHECK(ledger.find(id)->deployment == "d-1");
  CHECK(cloud.made.size() == 1);

  auto never = lose(false);
  settle_lost(cloud.calls, ledger, "staging", {}, {}, {});
  CHECK(ledger.find(never)->verdict == ledger::Verdict::lost);
  CHECK(ledger.find(never)->deployment.empty());
}
