// SPDX-License-Identifier: Apache-2.0
#include "workflow/environment_gate.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::workflow;

namespace {

struct Gate {
  os::TempDir directory;
  Protection protection;
  std::string ref = "refs/heads/main";
  Guarded<std::vector<std::string>> waits;
  std::optional<std::string> pass(const std::stop_token& stop = {}) {
    return pass_gate(
        {.job = "deploy (eu)",
         .environment = "production",
         .ref = ref,
         .actor = "mona",
         .protection = protection,
         .approvals = directory.path() / "approvals"},
        [&](const std::string& text) { waits.with([&](auto& all) { all.push_back(text); }); },
        stop);
  }
  // Decides once the job asks.
  void decide(const Decision& decision) {
    auto asked = [](const auto& all) { return !all.empty(); };
    REQUIRE(waits.wait({}, Deadline::in(std::chrono::seconds(20)), asked, [](auto&) {}));
    auto approvals = directory.path() / "approvals";
    auto until = Deadline::in(std::chrono::seconds(20));
    while (pending_approvals(approvals).empty() && !until.passed()) std::this_thread::yield();
    decide_approval(approvals, "deploy (eu)", decision);
  }
};

}  // namespace

TEST_CASE("an environment without rules lets every job pass at once") {
  Gate gate;
  CHECK(!gate.pass());
  CHECK(gate.waits.read([](const auto& all) { return all.empty(); }));
}

TEST_CASE("only refs that match an environment's patterns may deploy to it") {
  Gate gate;
  gate.protection.branches = {"main", "release/*"};
  CHECK(!gate.pass());
  gate.ref = "refs/heads/release/1";
  CHECK(!gate.pass());
  gate.ref = "refs/heads/feature";
  CHECK(gate.pass() ==
        "Branch \"feature\" is not allowed to deploy to production due to environment protection "
        "rules.");
  gate.ref = "refs/tags/v1";
  CHECK(gate.pass() ==
        "Tag \"v1\" is not allowed to deploy to production due to environment protection rules.");
  gate.protection.tags = {"v*"};
  CHECK(!gate.pass());
}

TEST_CASE("a job waits until a reviewer approves; others may not") {
  Gate gate;
  gate.protection.reviewers = {"Ann", "bob"};
  TaskGroup group({});
  group.start([&](const std::stop_token&) {
    CHECK_THROWS_AS(gate.decide({.approved = true, .reviewer = "eve"}), Error);
    gate.decide({.approved = true, .reviewer = "ann", .comment = "fine"});
  });
  CHECK(!gate.pass());
  group.join();
  CHECK(pending_approvals(gate.directory.path() / "approvals").empty());
}

TEST_CASE("a rejected job does not run, and who started the run may be barred from approving it") {
  Gate gate;
  gate.protection.reviewers = {"mona", "bob"};
  gate.protection.prevent_self_review = true;
  TaskGroup group({});
  group.start([&](const std::stop_token&) {
    CHECK_THROWS_AS(gate.decide({.approved = true, .reviewer = "mona"}), Error);
    gate.decide({.approved = false, .reviewer = "bob", .comment = "not today"});
  });
  CHECK(gate.pass() == "bob rejected the deployment to production: not today");
  group.join();
}

TEST_CASE("a wait timer and a review end when the run is cancelled") {
  Gate gate;
  std::stop_source stop;
  stop.request_stop();
  gate.protection.wait_minutes = 5;
  CHECK_THROWS_AS(gate.pass(stop.get_token()), Cancelled);
  gate.protection = {.reviewers = {"ann"}};
  CHECK_THROWS_AS(gate.pass(stop.get_token()), Cancelled);
}
