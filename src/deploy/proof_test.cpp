// SPDX-License-Identifier: Apache-2.0
#include "deploy/proof.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/fake_calls.hpp"
#include "formats/ed25519.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

const std::string kRegistry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const std::string kGood = "sha256:" + std::string(64, 'a');
const std::string kOther = "sha256:" + std::string(64, 'b');

// Staging runs kGood of commit c0ffee, tested and healthy, unless a test changes it.
struct World {
  World() {
    calls.on("ecs:DescribeServices", [this](const Json&) {
      return aws::Answer(Json::object(
          {{"services", Json::array({Json::object(
                            {{"status", "ACTIVE"},
                             {"taskDefinition", running},
                             {"desiredCount", 2},
                             {"runningCount", tasks},
                             {"deployments",
                              Json::array({Json::object({{"id", "d"},
                                                         {"status", "PRIMARY"},
                                                         {"rolloutState", "COMPLETED"},
                                                         {"taskDefinition", running}})})}})})}}));
    });
  }
  void release(const std::string& tests = "success",
               ledger::Verdict verdict = ledger::Verdict::succeeded) {
    ledger::Release one{.environment = "staging",
                        .cluster = "shop",
                        .service = "api",
                        .sha = "c0ffee",
                        .test_verdict = tests,
                        .images = {{"api", kRegistry + "/shop/api:c0ffee", kGood}},
                        .task_definition = running};
    ledger.end(ledger.begin(one), verdict, "");
  }
  static Candidate candidate(const std::string& digest) {
    Candidate one{.environment = "production",
                  .cluster = "shop",
                  .service = "api",
                  .definition = {},
                  .images = {},
                  .missing = {}};
    one.definition = Json::object(
        {{"containerDefinitions",
          Json::array({Json::object({{"name", "api"}, {"image", kRegistry + "/shop/api:x"}})})}});
    one.images = {{"api", kRegistry + "/shop/api@" + digest, digest}};
    return one;
  }
  Proof prove_one(const std::string& digest,
                  Protection protection = {.require_tests = true, .promote_from = "staging"}) {
    return prove(calls, ledger, "production", {candidate(digest)}, protection, "", "ann", {});
  }
  std::string trouble(const std::string& digest,
                      Protection protection = {.require_tests = true, .promote_from = "staging"}) {
    auto troubles = prove_one(digest, protection).troubles;
    return troubles.empty() ? "" : troubles.front();
  }

  FakeCalls calls;
  os::TempDir directory;
  ledger::Ledger ledger{directory.path() / "ledger.db"};
  std::string running = "arn:aws:ecs:us-east-1:1:task-definition/api:7";
  int tasks = 2;
};

}  // namespace

TEST_CASE("a digest that was tested and runs healthy in staging may go on") {
  World world;
  world.release();
  auto proof = world.prove_one(kGood);
  CHECK(proof.troubles.empty());
  CHECK(proof.sha == "c0ffee");
  CHECK(proof.test_verdict == "success");
}

TEST_CASE("every way around is refused") {
  World world;
  SUBCASE("nothing was released there") {
    CHECK(world.trouble(kGood).find("does not run in 'staging'") != std::string::npos);
  }
  SUBCASE("another digest") {
    world.release();
    CHECK(world.trouble(kOther).find("does not run in 'staging'") != std::string::npos);
  }
  SUBCASE("no such image") {
    world.release();
    CHECK(world.trouble("").find("no such image") != std::string::npos);
  }
  SUBCASE("its release failed") {
    world.release("success", ledger::Verdict::rolled_back);
    CHECK(world.trouble(kGood).find("does not run in 'staging'") != std::string::npos);
  }
  SUBCASE("its tests failed") {
    world.release("failure");
    CHECK(world.trouble(kGood).find("ended with failure") != std::string::npos);
  }
  SUBCASE("its tests never ran") {
    world.release("");
    CHECK(world.trouble(kGood).find("are not known to have run") != std::string::npos);
  }
  SUBCASE("it is not healthy") {
    world.release();
    world.tasks = 1;
    CHECK(world.trouble(kGood).find("1 of 2 tasks run") != std::string::npos);
  }
  SUBCASE("somebody deployed past the ledger") {
    world.release();
    world.running = "arn:aws:ecs:us-east-1:1:task-definition/api:8";
    CHECK(world.trouble(kGood).find("runs api:8, not api:7") != std::string::npos);
  }
  SUBCASE("it has not run long enough") {
    world.release();
    Protection protection{
        .require_tests = true, .promote_from = "staging", .soak = std::chrono::minutes(10)};
    CHECK(world.trouble(kGood, protection).find("10 min") != std::string::npos);
  }
  SUBCASE("nobody else has approved") {
    world.release();
    Protection protection{.require_tests = true, .promote_from = "staging", .approvals = 1};
    world.ledger.append(
        "approval",
        Json::object({{"environment", "production"}, {"sha", "c0ffee"}, {"who", "ann"}}));
    world.ledger.append(
        "approval", Json::object({{"environment", "staging"}, {"sha", "c0ffee"}, {"who", "bob"}}));
    CHECK(world.trouble(kGood, protection).find("0 of 1 approvals") != std::string::npos);
    world.ledger.append(
        "approval",
        Json::object({{"environment", "production"}, {"sha", "c0ffee"}, {"who", "bob"}}));
    CHECK(world.trouble(kGood, protection).empty());
  }
}

TEST_CASE("a promotion takes the digests, and there is none where nothing good runs") {
  World world;
  std::vector<Candidate> candidates = {World::candidate(kOther)};
  CHECK_THROWS_AS(take_digests_from(world.ledger, "staging", candidates), Error);
  world.release();
  take_digests_from(world.ledger, "staging", candidates);
  CHECK(candidates.front().definition.at("containerDefinitions").at(0).get_string("image") ==
        kRegistry + "/shop/api@" + kGood);
  CHECK(candidates.front().images.front().digest == kGood);
}

TEST_CASE("an attestation is verifiable with the ledger's public key alone") {
  World world;
  world.release();
  auto envelope =
      attestation(world.ledger, "production", World::candidate(kGood), world.prove_one(kGood));
  auto payload = *unbase64(envelope.get_string("payload"));
  auto signature = *unbase64(envelope.get_array("signatures").front().get_string("sig"));
  std::string encoded =
      "DSSEv1 28 application/vnd.in-toto+json " + std::to_string(payload.size()) + " " + payload;
  CHECK(formats::verify_ed25519(world.ledger.public_key(), encoded, signature));
  auto statement = formats::parse_json(payload);
  CHECK(statement.get_array("subject").front().at("digest").get_string("sha256") ==
        kGood.substr(7));
  CHECK(statement.at("predicate").get_string("tests") == "success");
}
