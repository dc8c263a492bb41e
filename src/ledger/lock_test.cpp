// SPDX-License-Identifier: Apache-2.0
#include "ledger/lock.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::ledger;

namespace {

struct Room {
  os::TempDir directory;
  Ledger ledger{directory.path() / "ledger.db"};
  EnvironmentLock take(const std::string& owner, bool by_force = false) {
    return EnvironmentLock(ledger, "staging",
                           {.owner = owner,
                            .take_over = by_force,
                            .deadline = Deadline::in(std::chrono::milliseconds(0))},
                           {});
  }
};

}  // namespace

TEST_CASE(
    "one holder at a time; the same owner may take it again; environments do not touch each "
    "other") {
  Room room;
  {
    EnvironmentLock first = room.take("run 7");
    CHECK(first.is_held());
    CHECK_THROWS_WITH_AS(room.take("run 8"),
                         "'staging' is being changed by run 7: wait for it, or end it", Error);
    EnvironmentLock again = room.take("run 7");
    CHECK(again.epoch() == first.epoch());
    EnvironmentLock other(room.ledger, "production", {.owner = "run 8"}, {});
    CHECK(other.is_held());
  }
  CHECK(room.take("run 8").is_held());
}

TEST_CASE(
    "who takes it over has a later epoch, and what was begun before cannot be issued any more") {
  Room room;
  EnvironmentLock slow = room.take("run 7");
  Release release{.environment = "staging", .service = "web"};
  release.epoch = slow.epoch();
  auto id = room.ledger.begin(release);
  {
    EnvironmentLock fast = room.take("rollback by ann", true);
    CHECK(fast.epoch() > slow.epoch());
    CHECK_FALSE(slow.is_held());
    CHECK_THROWS_AS(room.ledger.issuing(id), Error);
    release.epoch = fast.epoch();
    room.ledger.issuing(room.ledger.begin(release));
  }
  CHECK_THROWS_AS(room.ledger.issuing(id), Error);
}

TEST_CASE("a lease that is not renewed falls to the next") {
  Room room;
  REQUIRE(room.ledger.try_lock("staging", "run 7", std::chrono::milliseconds(0), false).epoch == 1);
  CHECK(room.take("run 8").epoch() == 2);
  CHECK_FALSE(room.ledger.renew_lock("staging", 1, std::chrono::milliseconds(1000)));
}
