// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sqlite.hpp"

using namespace slipway;
using namespace slipway::ledger;

namespace {

// A file of its own for each test, gone afterwards.
class Place {
 public:
  Place() : directory_(std::filesystem::temp_directory_path() / ("ledger-" + uuid())) {
    std::filesystem::create_directory(directory_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::filesystem::path file() const { return directory_ / "ledger.db"; }

 private:
  std::filesystem::path directory_;
};

Release release(const std::string& service, const std::string& sha, int revision) {
  return Release{.environment = "staging",
                 .cluster = "myapp-staging",
                 .service = service,
                 .sha = sha,
                 .run_id = "7",
                 .test_verdict = "success",
                 .images = {{"web", "registry/web:" + sha, "sha256:" + sha}},
                 .task_definition = "arn:aws:ecs:us-east-1:1:task-definition/" + service + ":" +
                                    std::to_string(revision),
                 .who = "ann"};
}

// Changes the file behind the ledger's back, triggers out of the way.
void tamper(const std::filesystem::path& file, const std::string& sql) {
  formats::Database database(file);
  database.exec("DROP TRIGGER IF EXISTS entries_stay; DROP TRIGGER IF EXISTS entries_remain; " +
                sql);
}

void fill(Ledger& ledger, int count) {
  for (int n = 1; n <= count; ++n) {
    auto id = ledger.begin(release("web", "c" + std::to_string(n), n));
    ledger.end(id, Verdict::succeeded, "");
  }
}

}  // namespace

TEST_CASE("a release is known from its intent to its end, also after opening the ledger again") {
  Place place;
  std::int64_t id = 0;
  {
    Ledger ledger(place.file());
    id = ledger.begin(release("web", "abc", 1));
    CHECK(ledger.find(id)->verdict == Verdict::running);
    ledger.accepted(id, "ecs-svc/1", {{"web", "registry/web:abc", "sha256:def"}});
  }
  Ledger ledger(place.file());
  ledger.end(id, Verdict::rolled_back, "container 'web' exited with code 1");
  auto found = ledger.find(id);
  REQUIRE(found);
  CHECK(found->deployment == "ecs-svc/1");
  CHECK(found->images.front().digest == "sha256:def");
  CHECK(found->verdict == Verdict::rolled_back);
  CHECK(found->reason == "container 'web' exited with code 1");
  CHECK(found->test_verdict == "success");
  CHECK(found->ended.has_value());
  CHECK_THROWS_AS(ledger.end(id, Verdict::succeeded, ""), Error);
}

TEST_CASE("current is the last that succeeded, latest the last that was begun") {
  Place place;
  Ledger ledger(place.file());
  fill(ledger, 2);
  ledger.end(ledger.begin(release("web", "c3", 3)), Verdict::rolled_back, "crashed");
  CHECK(ledger.current("staging", "web")->sha == "c2");
  CHECK(ledger.latest("staging", "web")->sha == "c3");
  CHECK_FALSE(ledger.current("production", "web").has_value());
  CHECK(ledger
            .with_task_definition("staging", "web", "arn:aws:ecs:us-east-1:1:task-definition/web:1")
            ->sha == "c1");
}

TEST_CASE("history is newest first and can be narrowed to a service") {
  Place place;
  Ledger ledger(place.file());
  ledger.begin(release("web", "a", 1));
  ledger.begin(release("api", "a", 1));
  ledger.begin(release("web", "b", 2));
  CHECK(ledger.history("staging").size() == 3);
  CHECK(ledger.history("staging").front().sha == "b");
  CHECK(ledger.history("staging", "api").size() == 1);
  CHECK(ledger.history("", "", 2).size() == 2);
  CHECK(ledger.services("staging") == std::vector<std::string>{"web", "api"});
  CHECK(ledger.environments() == std::vector<std::string>{"staging"});
}

TEST_CASE("an untouched ledger verifies, entries cannot be changed through SQL by accident") {
  Place place;
  Ledger ledger(place.file());
  fill(ledger, 5);
  CHECK_FALSE(ledger.verify().has_value());
  formats::Database database(place.file());
  CHECK_THROWS_AS(database.exec("UPDATE entries SET body = '{}' WHERE number = 1"), Error);
  CHECK_THROWS_AS(database.exec("DELETE FROM entries"), Error);
}

TEST_CASE("a changed, removed, moved or cut off entry is named") {
  Place place;
  {
    Ledger ledger(place.file());
    fill(ledger, 5);
  }
  auto found = [&](const std::string& sql) {
    tamper(place.file(), sql);
    auto broken = Ledger(place.file()).verify();
    return broken ? broken->number : 0;
  };
  SUBCASE("a byte of a body") {
    CHECK(found("UPDATE entries SET body = replace(body, 'c2', 'c9') WHERE number = 3") == 3);
  }
  SUBCASE("a time") {
    CHECK(found("UPDATE entries SET at = '2020-01-01T00:00:00.000Z' WHERE number = 4") == 4);
  }
  SUBCASE("the first entry") { CHECK(found("DELETE FROM entries WHERE number = 1") == 1); }
  SUBCASE("one in the middle") { CHECK(found("DELETE FROM entries WHERE number = 5") == 5); }
  SUBCASE("the last") { CHECK(found("DELETE FROM entries WHERE number = 10") == 10); }
  SUBCASE("two changed places") {
    CHECK(found("UPDATE entries SET number = 99 WHERE number = 3; UPDATE entries SET number = 3 "
                "WHERE number = 4;"
                "UPDATE entries SET number = 4 WHERE number = 99") == 3);
  }
  SUBCASE("all of them") { CHECK(found("DELETE FROM entries") == 1); }
  SUBCASE("a changed entry with its hash made right") {
    Entry entry = Ledger(place.file()).entries(3, 1).front();
    entry.body = "{}";
    CHECK(found("UPDATE entries SET body = '{}', hash = '" + hash_of(entry) +
                "' WHERE number = 3") == 3);  // its signature does not fit
  }
  SUBCASE("all of them made anew by someone without the key") {
    auto entries = Ledger(place.file()).entries();
    std::string sql;
    std::string previous(64, '0');
    for (auto& entry : entries) {
      entry.previous = previous;
      entry.kind += "x";
      previous = entry.hash = hash_of(entry);
      sql += "UPDATE entries SET kind = '" + entry.kind + "', previous = '" + entry.previous +
             "', hash = '" + entry.hash +
             "', signature = '' WHERE number = " + std::to_string(entry.number) + ";";
    }
    CHECK(found(sql + "UPDATE head SET hash = '" + previous + "'") == 1);
  }
  SUBCASE("what history tells") {
    CHECK(found("UPDATE releases SET body = replace(body, 'c2', 'c9') WHERE id = 3") == 3);
  }
  SUBCASE("a release without entries") {
    CHECK(found("INSERT INTO releases SELECT 77, environment, service, verdict, task_definition, "
                "body FROM releases WHERE id = 3") == 77);
  }
}

TEST_CASE("a ledger whose key is gone takes no more entries") {
  Place place;
  {
    Ledger ledger(place.file());
    fill(ledger, 1);
  }
  std::filesystem::remove(place.file().parent_path() / "ledger.key");
  Ledger ledger(place.file());
  CHECK(ledger.verify().has_value());
  CHECK_THROWS_AS(ledger.append("note", formats::Json::object()), Error);
}

TEST_CASE(
    "the running release of a dead process is lost, and is settled once the cloud was asked") {
  Place place;
  std::int64_t id = 0;
  {
    Ledger ledger(place.file());
    id = ledger.begin(release("web", "abc", 1));
  }
  {
    formats::Database database(place.file());  // as if another process had begun it, which is gone
    auto body = Ledger(place.file()).entries(id, 1).front().body;
    auto at = body.find("\"process\":\"") + 11;
    auto end = body.find('"', at);
    auto words = body.substr(at, end - at);
    auto dead = words.substr(0, words.rfind(' ')) + " 1";
    database.exec("UPDATE releases SET body = replace(body, '" + words + "', '" + dead + "')");
  }
  Ledger ledger(place.file());
  CHECK(ledger.find(id)->verdict == Verdict::lost);
  REQUIRE(ledger.lost("staging").size() == 1);
  ledger.end(id, Verdict::succeeded, "found in the cloud");
  CHECK(ledger.lost("staging").empty());
  CHECK(ledger.find(id)->is_settled);
  CHECK(ledger.current("staging", "web")->id == id);
  CHECK_THROWS_AS(ledger.end(id, Verdict::failed, ""), Error);
}

TEST_CASE("a pause stands until it is resumed, and both are entries") {
  Place place;
  Ledger ledger(place.file());
  CHECK_FALSE(ledger.paused("staging").has_value());
  CHECK_FALSE(ledger.resume("staging", "ann"));
  ledger.pause("staging", "ann", "rolled back");
  REQUIRE(Ledger(place.file()).paused("staging").has_value());
  CHECK(ledger.paused("staging")->who == "ann");
  CHECK_FALSE(ledger.paused("production").has_value());
  CHECK(ledger.resume("staging", "bob"));
  CHECK_FALSE(ledger.paused("staging").has_value());
  CHECK(ledger.entries().size() == 2);
}

TEST_CASE("a message is there until it is delivered or given up") {
  Place place;
  Ledger ledger(place.file());
  CHECK_FALSE(ledger.next_outgoing("/shop"));
  ledger.put_out("/shop", "slack", formats::Json::object({{"text", "one"}}));
  ledger.put_out("/shop", "slack", formats::Json::object({{"text", "two"}}));
  auto due = ledger.outgoing();
  REQUIRE(due.size() == 2);
  CHECK(due[0].place == "/shop");
  CHECK(ledger.next_outgoing("/shop"));
  CHECK_FALSE(ledger.next_outgoing("/other"));
  // Whoever claims it first delivers it; nobody else for that time.
  CHECK(ledger.claim(due[0], std::chrono::minutes(1)));
  CHECK_FALSE(ledger.claim(due[0], std::chrono::minutes(1)));
  CHECK(ledger.outgoing().size() == 1);
  ledger.delivered(due[0].id);
  CHECK(ledger.not_delivered(due[1].id, std::chrono::milliseconds(0), 2));
  CHECK(ledger.outgoing().front().attempts == 1);
  CHECK_FALSE(ledger.not_delivered(due[1].id, std::chrono::milliseconds(0), 2));
  CHECK(ledger.outgoing().empty());
  // Its number is not another's later.
  ledger.put_out("/shop", "slack", formats::Json::object({{"text", "three"}}));
  CHECK(ledger.outgoing().front().id > due[1].id);
}
