// SPDX-License-Identifier: Apache-2.0
#include "deploy/notify.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

// A team's webhook that is out of order for its first `failures` requests.
struct Team {
  Team() {
    settings.place = "/shop";
    settings.environments["staging"].notifications = {"team"};
    settings.notifications = {{.name = "team", .kind = "webhook", .url = "$TEAM_URL"}};
  }
  Delivering how(bool has_url = true) {
    return {.settings = settings,
            .environment = has_url ? std::map<std::string, std::string>{{"TEAM_URL", "http://t"}}
                                   : std::map<std::string, std::string>{},
            .post =
                [this](const Post& post) {
                  ++requests;
                  if (failures-- > 0) return std::pair<int, std::string>(503, "later");
                  bodies.push_back(post.body);
                  return std::pair<int, std::string>(200, "");
                },
            .told = [this](const std::string& line) { told.push_back(line); }};
  }
  void put() { put_out(ledger, settings, "staging", Json::object({{"event", "release"}})); }

  Settings settings;
  os::TempDir directory;
  ledger::Ledger ledger{directory.path() / "ledger.db"};
  int failures = 0;
  int requests = 0;
  std::vector<std::string> bodies;
  std::vector<std::string> told;
};

}  // namespace

TEST_CASE("what was not delivered is tried again until the deadline, and delivered once") {
  Team team;
  team.failures = 1;
  team.put();
  deliver_until(team.ledger, team.how(), Deadline::in(std::chrono::seconds(20)), {});
  CHECK(team.requests == 2);
  CHECK(team.bodies.size() == 1);
  REQUIRE(team.told.size() == 1);
  CHECK(team.told[0] ==
        "notification 'team' was not delivered, it is tried again: HTTP 503: later");
  CHECK_FALSE(team.ledger.next_outgoing("/shop"));
}

TEST_CASE("what cannot be delivered in time waits in the outbox") {
  Team team;
  team.failures = 1;
  team.put();
  deliver_until(team.ledger, team.how(), Deadline::in(std::chrono::milliseconds(200)), {});
  CHECK(team.requests == 1);
  CHECK(team.ledger.next_outgoing("/shop"));
}

TEST_CASE(
    "a message is delivered by the settings that it was put out with, and with their variables") {
  Team team;
  team.put();
  Team other;
  other.settings.place = "/elsewhere";
  deliver(team.ledger, other.how());
  CHECK(other.requests == 0);

  auto without = team.how(false);
  without.leaves_unset = true;
  deliver(team.ledger, without);
  CHECK(team.requests == 0);
  CHECK(team.ledger.outgoing().front().attempts == 0);

  deliver(team.ledger, team.how());
  CHECK(team.bodies == std::vector<std::string>{R"({"event":"release"})"});
}
