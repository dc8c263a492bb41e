// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollback_state.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

const char* const kRepository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web";
const char* const kSecret = "arn:aws:secretsmanager:us-east-1:1:secret:shop/keys:stripe::";

// A cloud that still has the revision; images by tag or digest, and the secret's current version.
struct Cloud {
  Cloud() {
    calls.on("ecs:DescribeTaskDefinition", [this](const Json&) {
      Json definition = formats::parse_json(fmt::format(
          R"({{"family":"web","revision":1,"status":"{}","taskDefinitionArn":"a","containerDefinitions":[{{"name":"web","image":"{}:v1",
        "secrets":[{{"name":"KEY","valueFrom":"{}"}}]}}]}})",
          status, kRepository, kSecret));
      return aws::Answer(Json::object({{"taskDefinition", definition}}));
    });
    calls.on("ecr:DescribeImages", [this](const Json& input) {
      const Json& id = input.get_array("imageIds").front();
      std::string name = id.get_string("imageTag") + id.get_string("imageDigest");
      auto found = images.find(name);
      if (found == images.end())
        return aws::Answer(aws::ServiceError{"ImageNotFoundException", "no", 400, "r"});
      return aws::Answer(Json::object(
          {{"imageDetails", Json::array({Json::object({{"imageDigest", found->second}})})}}));
    });
    calls.on("secretsmanager:DescribeSecret", [this](const Json&) {
      Json stages = Json::object({{"old", Json::array({"AWSPREVIOUS"})}});
      stages[version] = Json::array({"AWSCURRENT"});
      return aws::Answer(Json::object({{"VersionIdsToStages", stages}}));
    });
  }
  RollbackStep back(bool pins = false) {
    ledger::Release then{.service = "web", .task_definition = "web:1"};
    then.images = {{"web", std::string(kRepository) + ":v1", "sha256:one"}};
    then.secrets = {{kSecret, "then"}};
    std::vector<RollbackStep> plan = {{.from = {}, .to = then}};
    bring_back(calls, plan, pins, {});
    return plan.front();
  }
  FakeCalls calls;
  std::string status = "ACTIVE";
  std::map<std::string, std::string> images = {{"v1", "sha256:one"}, {"sha256:one", "sha256:one"}};
  std::string version = "then";
};

std::string image_in(const Json& definition) {
  return definition.at("containerDefinitions").at(0).get_string("image");
}

}  // namespace

TEST_CASE("a revision whose images and secrets are those of then is released as it is") {
  auto step = Cloud().back();
  CHECK(step.definition.is_null());
  CHECK(step.notes.empty());
}

TEST_CASE("a tag that moved: the image of then is named by its digest") {
  Cloud cloud;
  cloud.images["v1"] = "sha256:two";
  auto step = cloud.back();
  CHECK(image_in(step.definition) == std::string(kRepository) + "@sha256:one");
  CHECK_FALSE(step.definition.contains("revision"));
  REQUIRE(step.notes.size() == 1);
  CHECK(step.notes[0] ==
        "web: the tag v1 leads to another image by now: the image of then is named by its digest");
  cloud.images.erase("v1");
  CHECK(image_in(cloud.back().definition) == std::string(kRepository) + "@sha256:one");
  cloud.images.clear();
  CHECK_THROWS_WITH_AS(cloud.back(), doctest::Contains("is gone from ECR"), Error);
}

TEST_CASE("a revision that was deregistered is registered again") {
  Cloud cloud;
  cloud.status = "INACTIVE";
  auto step = cloud.back();
  CHECK(image_in(step.definition) == std::string(kRepository) + ":v1");
  CHECK(step.notes.size() == 1);
}

TEST_CASE("a secret with another version is told, and taken as it was when that is asked for") {
  Cloud cloud;
  cloud.version = "now";
  auto step = cloud.back();
  CHECK(step.definition.is_null());
  REQUIRE(step.notes.size() == 1);
  CHECK(step.notes[0] ==
        "web: shop/keys:stripe:: had version then then and has now now: the tasks get that of now "
        "(--secret-versions: of then)");
  auto pinned = cloud.back(true);
  CHECK(pinned.definition.at("containerDefinitions")
            .at(0)
            .at("secrets")
            .at(0)
            .get_string("valueFrom") ==
        "arn:aws:secretsmanager:us-east-1:1:secret:shop/keys:stripe::then");
}

TEST_CASE("what may not be looked at is noted, and the revision is released as it is") {
  Cloud cloud;
  cloud.calls.refuse("ecr:DescribeImages", "AccessDeniedException", "no");
  auto step = cloud.back();
  CHECK(step.definition.is_null());
  CHECK(step.notes.size() == 1);
}
