// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.hpp"

#include <array>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sqlite.hpp"
#include "ledger/chain.hpp"
#include "ledger/export.hpp"
#include "ledger/process.hpp"
#include "ledger/release.hpp"
#include "ledger/state.hpp"

namespace slipway::ledger {
namespace {

using formats::Database;
using formats::Json;
using formats::Transaction;

// `releases` holds nothing that the entries do not: it is there to be asked by environment and service.
constexpr std::array<std::string_view, 5> kSchema = {R"(
CREATE TABLE entries (number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
                      previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
CREATE TRIGGER entries_remain BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE releases (id INTEGER PRIMARY KEY, environment TEXT NOT NULL, service TEXT NOT NULL, verdict TEXT NOT NULL,
                       task_definition TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX releases_of ON releases (environment, service, id);
)",
                                                     R"(
ALTER TABLE entries ADD COLUMN signature TEXT NOT NULL DEFAULT '';
CREATE INDEX releases_by ON releases (verdict, id);
CREATE TABLE pauses (environment TEXT PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE locks (environment TEXT PRIMARY KEY, epoch INTEGER NOT NULL, owner TEXT NOT NULL, process TEXT NOT NULL,
                    holders INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT;
CREATE TABLE outbox (id INTEGER PRIMARY KEY, sink TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL) STRICT;
)",
                                                     R"(
CREATE TABLE threads (sink TEXT NOT NULL, key TEXT NOT NULL, thread TEXT NOT NULL, PRIMARY KEY (sink, key)) STRICT;
)",
                                                     R"(
-- A delivery's number is never given again: receivers tell deliveries apart by it.
CREATE TABLE outbox_numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,
  due INTEGER NOT NULL) STRICT;
INSERT INTO outbox_numbered SELECT id, sink, body, attempts, due FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_numbered RENAME TO outbox;
)",
                                                     R"(
ALTER TABLE outbox ADD COLUMN place TEXT NOT NULL DEFAULT '';
)"};

std::optional<Release> one(formats::Statement& query) {
  if (!query.step()) return std::nullopt;
  return release_from_json(formats::parse_json(query.get_text(0), "ledger"));
}

// What verify() compares: what the table holds, as this version writes it.
std::string normal(const std::string& body) {
  return to_json(release_from_json(formats::parse_json(body, "ledger"))).dump();
}

}  // namespace

Ledger::State::State(const std::filesystem::path& file)
    : database(file), signer(file.parent_path() / "ledger.key") {
  database.migrate(kSchema);
}

Release Ledger::State::must_find(std::int64_t id) {
  auto query = database.prepare("SELECT body FROM releases WHERE id = ?");
  query.bind(id);
  auto release = one(query);
  if (!release) fail(Fault::conflict, "the ledger has no release {}", id);
  return *release;
}

void Ledger::State::store(const Release& release) {
  database.run(
      "INSERT OR REPLACE INTO releases (id, environment, service, verdict, task_definition, body) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      release.id, release.environment, release.service, name_of(release.verdict),
      release.task_definition, to_json(release).dump());
}

Release Ledger::State::note(std::int64_t id, const std::string& kind, Json body) {
  Release release = must_find(id);
  Json whole = Json::object({{"release", id}});
  for (auto& [key, value] : body.as_object()) whole[key] = std::move(value);
  auto number = append_entry(database, signer, kind, whole);
  apply_entry(release, number, kind, whole);
  store(release);
  return release;
}

// Others' processes died; our own only calls begin() after this.
void Ledger::State::mark_lost() {
  std::vector<Release> dead;
  auto query = database.prepare("SELECT body FROM releases WHERE verdict = 'running' ORDER BY id");
  while (auto release = one(query)) {
    if (has_died(release->process)) dead.push_back(std::move(*release));
  }
  if (dead.empty()) return;
  query.reset();
  Transaction transaction(database);
  for (const auto& release : dead) {
    if (must_find(release.id).ended) continue;  // another process was faster
    note(release.id, "release.ended",
         Json::object({{"verdict", name_of(Verdict::lost)},
                       {"reason", "its process died before the end was seen"},
                       {"ended", formats::iso8601_millis(formats::now())}}));
  }
  transaction.commit();
}

Ledger::Ledger(const std::filesystem::path& file)
    : state_(while_doing("opening the ledger", [&] {
        auto state = std::make_unique<State>(file);
        state->mark_lost();
        return state;
      })) {}
Ledger::~Ledger() = default;

std::int64_t Ledger::begin(const Release& release) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release begun = release;
  begun.id = 0;
  begun.ended.reset();
  begun.verdict = Verdict::running;
  begun.reason.clear();
  begun.causes = nullptr;
  begun.is_issued = begun.is_settled = false;
  begun.process = this_process();
  if (begun.started == formats::Time{}) begun.started = formats::now();
  begun.id = append_entry(state_->database, state_->signer, "release.begun", to_json(begun));
  state_->store(begun);
  transaction.commit();
  return begun.id;
}

void Ledger::registered(std::int64_t id, const std::string& task_definition) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->note(id, "release.registered", Json::object({{"taskDefinition", task_definition}}));
  transaction.commit();
}

void Ledger::issuing(std::int64_t id) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release release = state_->must_find(id);
  if (release.epoch != 0) {
    auto query = state_->database.prepare("SELECT epoch, owner FROM locks WHERE environment = ?");
    query.bind(release.environment);
    if (query.step() && query.get_int(0) != release.epoch) {
      fail(Fault::conflict, "'{}' was taken over by {}: nothing more is done to it",
           release.environment, query.get_text(1));
    }
  }
  state_->note(id, "release.issuing", Json::object({{"taskDefinition", release.task_definition}}));
  transaction.commit();
}

void Ledger::accepted(std::int64_t id, const std::string& deployment,
                      const std::vector<ReleasedImage>& images) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Json body = Json::object({{"deployment", deployment}});
  if (!images.empty()) body["images"] = images_to_json(images);
  state_->note(id, "release.accepted", std::move(body));
  transaction.commit();
}

void Ledger::end(std::int64_t id, Verdict verdict, const std::string& reason, const Json& causes) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release release = state_->must_find(id);
  bool is_open = release.verdict == Verdict::lost || release.verdict == Verdict::unknown;
  if (release.ended && !is_open) {
    fail(Fault::conflict, "release {} has ended already: {}", id, name_of(release.verdict));
  }
  Json body = Json::object({{"verdict", name_of(verdict)},
                            {"reason", reason},
                            {"ended", formats::iso8601_millis(formats::now())}});
  if (!causes.is_null()) body["causes"] = causes;
  state_->note(id, "release.ended", std::move(body));
  transaction.commit();
}

std::vector<Release> Ledger::lost(const std::string& environment) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND verdict = 'lost' ORDER BY id");
  query.bind(environment);
  std::vector<Release> lost;
  while (auto release = one(query)) {
    if (!release->is_settled) lost.push_back(std::move(*release));
  }
  return lost;
}

std::optional<Release> Ledger::find(std::int64_t id) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT body FROM releases WHERE id = ?");
  query.bind(id);
  return one(query);
}

std::optional<Release> Ledger::latest(const std::string& environment,
                                      const std::string& service) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? ORDER BY id DESC LIMIT 1");
  query.bind(environment, service);
  return one(query);
}

std::optional<Release> Ledger::current(const std::string& environment,
                                       const std::string& service) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? AND verdict = 'succeeded' "
      "ORDER BY id DESC LIMIT 1");
  query.bind(environment, service);
  return one(query);
}

std::optional<Release> Ledger::with_task_definition(const std::string& environment,
                                                    const std::string& service,
                                                    const std::string& task_definition) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? AND task_definition = ? AND "
      "verdict = 'succeeded' "
      "ORDER BY id DESC LIMIT 1");
  query.bind(environment, service, task_definition);
  return one(query);
}

std::vector<Release> Ledger::history(const std::string& environment, const std::string& service,
                                     std::size_t most) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE (?1 = '' OR environment = ?1) AND (?2 = '' OR service = ?2) "
      "ORDER BY id DESC LIMIT ?3");
  query.bind(environment, service, static_cast<std::int64_t>(most));
  std::vector<Release> releases;
  while (auto release = one(query)) releases.push_back(std::move(*release));
  return releases;
}

std::vector<std::string> Ledger::environments() const {
  std::lock_guard lock(state_->mutex);
  auto query =
      state_->database.prepare("SELECT DISTINCT environment FROM releases ORDER BY environment");
  std::vector<std::string> names;
  while (query.step()) names.push_back(query.get_text(0));
  return names;
}

std::vector<std::string> Ledger::services(const std::string& environment) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT service FROM releases WHERE environment = ? GROUP BY service ORDER BY min(id)");
  query.bind(environment);
  std::vector<std::string> names;
  while (query.step()) names.push_back(query.get_text(0));
  return names;
}

std::int64_t Ledger::append(const std::string& kind, const Json& body) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  auto number = append_entry(state_->database, state_->signer, kind, body);
  transaction.commit();
  return number;
}

std::vector<Entry> Ledger::entries(std::int64_t from, std::size_t most) const {
  std::lock_guard lock(state_->mutex);
  return read_entries(state_->database, from, most);
}

std::string Ledger::public_key() const {
  std::lock_guard lock(state_->mutex);
  return state_->signer.public_key();
}

std::string Ledger::sign(const std::string& message) {
  std::lock_guard lock(state_->mutex);
  return state_->signer.key(false).sign(message);
}

Json Ledger::checkpoint() {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(
      state_->database);  // that the key is made once, and the head stands still
  Head head = read_head(state_->database);
  std::string at = formats::iso8601_millis(formats::now());
  auto signature =
      state_->signer.key(head.number == 0).sign(checkpoint_text(head.number, head.hash, at));
  return Json::object({{"entries", head.number},
                       {"head", head.hash},
                       {"at", at},
                       {"signature", base64(signature)}});
}

std::optional<Broken> Ledger::verify() const {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);  // that nothing is appended in between
  if (auto broken = verify_chain(state_->database, state_->signer.public_key())) return broken;
  std::map<std::int64_t, Release> told;
  for (const auto& entry : read_entries(state_->database, 1, 100'000'000)) {
    if (!entry.kind.starts_with("release.")) continue;
    Json body = formats::parse_json(entry.body, "ledger");
    auto id = entry.kind == "release.begun" ? entry.number : body.get_int("release");
    apply_entry(told[id], entry.number, entry.kind, body);
  }
  auto query = state_->database.prepare(
      "SELECT id, environment, service, verdict, task_definition, body FROM releases ORDER BY id");
  std::size_t count = 0;
  while (query.step()) {
    ++count;
    auto it = told.find(query.get_int(0));
    if (it == told.end())
      return Broken{query.get_int(0),
                    fmt::format("no entry tells of release {}", query.get_int(0))};
    const Release& release = it->second;
    bool is_same = query.get_text(1) == release.environment &&
                   query.get_text(2) == release.service &&
                   query.get_text(3) == name_of(release.verdict) &&
                   query.get_text(4) == release.task_definition &&
                   normal(query.get_text(5)) == to_json(release).dump();
    if (!is_same)
      return Broken{release.id, fmt::format("release {} is not what its entries say", release.id)};
  }
  if (count != told.size())
    return Broken{0,
                  fmt::format("{} of {} releases are missing", told.size() - count, told.size())};
  return std::nullopt;
}

}  // namespace slipway::ledger
