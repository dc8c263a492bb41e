// SPDX-License-Identifier: Apache-2.0
#include "formats/sqlite.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <array>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

struct DatabaseFolder {
  std::string path = "/tmp/slipway-sqlite-XXXXXX";
  DatabaseFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~DatabaseFolder() { std::filesystem::remove_all(path); }
};

constexpr std::array<std::string_view, 2> kSteps = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE) STRICT",
    "ALTER TABLE t ADD COLUMN size INTEGER"};

std::int64_t count(Database& database) {
  Statement rows = database.prepare("SELECT count(*) FROM t");
  rows.step();
  return rows.get_int(0);
}

}  // namespace

TEST_CASE("values go in and come out, also none and bytes") {
  Database database(":memory:");
  database.exec("CREATE TABLE t(a INTEGER, b TEXT, c REAL, d BLOB, e TEXT) STRICT");
  Statement insert = database.prepare("INSERT INTO t VALUES(?,?,?,?,?)");
  insert.bind(42, std::string("a\0b", 3), 2.5, nullptr, std::optional<std::string>{});
  insert.bind_blob(3, std::string_view("\x00\xff", 2));
  insert.run();
  CHECK(database.changes() == 1);
  Statement rows = database.prepare("SELECT * FROM t WHERE a = ?");
  rows.bind(42);
  REQUIRE(rows.step());
  CHECK(rows.get_int(0) == 42);
  CHECK(rows.get_text(1) == std::string("a\0b", 3));
  CHECK(rows.get_double(2) == 2.5);
  CHECK(rows.get_text(3) == std::string("\x00\xff", 2));
  CHECK(rows.is_null(4));
  CHECK_FALSE(rows.get_optional_text(4));
  CHECK(rows.columns() == 5);
  CHECK_FALSE(rows.step());
}

TEST_CASE("migrations run once, and a newer file is refused") {
  DatabaseFolder folder;
  std::string file = folder.path + "/a.db";
  Database(file).migrate(std::span(kSteps).first(1));
  {
    Database database(file);
    database.migrate(kSteps);
    database.migrate(kSteps);
    database.run("INSERT INTO t(name, size) VALUES(?, ?)", "x", 3);
    CHECK(database.last_insert_id() == 1);
  }
  Database old(file);
  CHECK_THROWS_WITH(old.migrate(std::span(kSteps).first(1)),
                    "the database was written by a newer slipway (schema 2, this one knows 1)");
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  DatabaseFolder folder;
  Database database(folder.path + "/a.db");
  database.migrate(kSteps);
  {
    Transaction transaction(database);
    database.run("INSERT INTO t(name) VALUES('gone')");
  }
  CHECK(count(database) == 0);
  Transaction transaction(database);
  database.run("INSERT INTO t(name) VALUES('kept')");
  transaction.commit();
  Database other = Database::open_read_only(folder.path + "/a.db");
  CHECK(count(other) == 1);
}

TEST_CASE("a broken constraint is a conflict, bad SQL is unavailable") {
  Database database(":memory:");
  database.migrate(kSteps);
  database.run("INSERT INTO t(name) VALUES('x')");
  try {
    database.run("INSERT INTO t(name) VALUES(?)", std::string("x"));
    FAIL("must throw");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::conflict);
  }
  CHECK_THROWS_AS(database.exec("SELEC 1"), Error);
  CHECK_THROWS_AS(Database("/nonexistent/x.db"), Error);
}
