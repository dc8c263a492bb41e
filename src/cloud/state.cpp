// SPDX-License-Identifier: Apache-2.0
#include "cloud/state.hpp"

#include <array>

namespace slipway::cloud {
namespace {

// Only ever appended to.
constexpr std::array<std::string_view, 1> kSchema = {R"(
  CREATE TABLE document (
    kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE counter (
    kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (kind, account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE access_key (
    id TEXT PRIMARY KEY, expires INTEGER, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE registry_token (
    hash TEXT PRIMARY KEY, expires INTEGER NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE log_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, timestamp INTEGER NOT NULL, ingested INTEGER NOT NULL,
    message TEXT NOT NULL) STRICT;
  CREATE INDEX log_event_by_time ON log_event (stream, timestamp, number);
  CREATE TABLE log_stream (
    number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, log_group TEXT NOT NULL, name TEXT NOT NULL,
    created INTEGER NOT NULL, first_event INTEGER, last_event INTEGER, last_ingested INTEGER, bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, region, log_group, name)) STRICT;
)"};

// Greater than every id that starts with `prefix`: the byte 0xff is in no UTF-8 text.
std::string end_of(std::string_view prefix) { return std::string(prefix) + "\xff"; }

}  // namespace

std::optional<Json> Tables::get(std::string_view kind, const Scope& scope, std::string_view id) {
  auto row = database_.prepare(
      "SELECT body FROM document WHERE kind=? AND account=? AND region=? AND id=?");
  row.bind(kind, scope.account, scope.region, id);
  if (!row.step()) return std::nullopt;
  return formats::parse_json(row.get_text(0), kind);
}

void Tables::put(std::string_view kind, const Scope& scope, std::string_view id, const Json& body) {
  database_.run(
      "INSERT INTO document VALUES(?,?,?,?,?) ON CONFLICT DO UPDATE SET body=excluded.body", kind,
      scope.account, scope.region, id, body.dump());
}

bool Tables::erase(std::string_view kind, const Scope& scope, std::string_view id) {
  database_.run("DELETE FROM document WHERE kind=? AND account=? AND region=? AND id=?", kind,
                scope.account, scope.region, id);
  return database_.changes() > 0;
}

std::vector<Stored> Tables::list(std::string_view kind, const Scope& scope, std::string_view prefix,
                                 std::string_view after, std::size_t limit) {
  auto rows = database_.prepare(
      "SELECT id, body FROM document WHERE kind=? AND account=? AND region=? AND id>=? AND id<? "
      "AND id>? ORDER BY id LIMIT ?");
  rows.bind(kind, scope.account, scope.region, prefix, end_of(prefix), after, limit);
  std::vector<Stored> found;
  while (rows.step())
    found.push_back({rows.get_text(0), formats::parse_json(rows.get_text(1), kind)});
  return found;
}

std::vector<std::pair<Scope, Stored>> Tables::list_everywhere(std::string_view kind) {
  auto rows = database_.prepare(
      "SELECT account, region, id, body FROM document WHERE kind=? ORDER BY account, region, id");
  rows.bind(kind);
  std::vector<std::pair<Scope, Stored>> found;
  while (rows.step()) {
    found.push_back({Scope{rows.get_text(0), rows.get_text(1)},
                     Stored{rows.get_text(2), formats::parse_json(rows.get_text(3), kind)}});
  }
  return found;
}

std::int64_t Tables::next_number(std::string_view kind, const Scope& scope, std::string_view id) {
  auto row = database_.prepare(
      "INSERT INTO counter VALUES(?,?,?,?,1) ON CONFLICT DO UPDATE SET value=value+1 RETURNING "
      "value");
  row.bind(kind, scope.account, scope.region, id);
  row.step();
  auto number = row.get_int(0);
  row.run();
  return number;
}

State::State(const std::filesystem::path& file) : database_(file) { database_.migrate(kSchema); }

void State::create_tables(const std::string& script) {
  std::lock_guard lock(mutex_);
  formats::Transaction transaction(database_);
  database_.exec(script);
  transaction.commit();
}

}  // namespace slipway::cloud
