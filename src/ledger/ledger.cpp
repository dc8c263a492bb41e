// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.hpp"

#include <mutex>

#include "base/error.hpp"
#include "formats/sqlite.hpp"
#include "ledger/chain.hpp"
#include "ledger/release.hpp"

namespace slipway::ledger {
namespace {

using formats::Database;
using formats::Json;
using formats::Transaction;

// `releases` holds nothing that the entries do not: it is there to be asked by environment and service.
constexpr std::array<std::string_view, 1> kSchema = {R"(
CREATE TABLE entries (number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
                      previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
CREATE TRIGGER entries_remain BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE releases (id INTEGER PRIMARY KEY, environment TEXT NOT NULL, service TEXT NOT NULL, verdict TEXT NOT NULL,
                       task_definition TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX releases_of ON releases (environment, service, id);
)"};

std::optional<Release> one(formats::Statement& query) {
  if (!query.step()) return std::nullopt;
  return release_from_json(formats::parse_json(query.get_text(0), "ledger"));
}

}  // namespace

struct Ledger::State {
  explicit State(const std::filesystem::path& file) : database(file) { database.migrate(kSchema); }

  std::mutex mutex;
  Database database;  // guarded by mutex

  Release must_find(std::int64_t id) {
    auto query = database.prepare("SELECT body FROM releases WHERE id = ?");
    query.bind(id);
    auto release = one(query);
    if (!release) fail(Fault::conflict, "the ledger has no release {}", id);
    return *release;
  }

  void store(const Release& release) {
    database.run("INSERT OR REPLACE INTO releases (id, environment, service, verdict, task_definition, body) VALUES (?, ?, ?, ?, ?, ?)",
                 release.id, release.environment, release.service, name_of(release.verdict), release.task_definition,
                 to_json(release).dump());
  }
};

Ledger::Ledger(const std::filesystem::path& file)
    : state_(while_doing("opening the ledger", [&] { return std::make_unique<State>(file); })) {}
Ledger::~Ledger() = default;

std::int64_t Ledger::begin(const Release& release) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release begun = release;
  begun.id = 0;
  begun.ended.reset();
  begun.verdict = Verdict::running;
  begun.reason.clear();
  if (begun.started == formats::Time{}) begun.started = formats::now();
  begun.id = append_entry(state_->database, "release.begun", to_json(begun));
  state_->store(begun);
  transaction.commit();
  return begun.id;
}

void Ledger::accepted(std::int64_t id, const std::string& deployment, const std::vector<ReleasedImage>& images) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release release = state_->must_find(id);
  release.deployment = deployment;
  Json body = Json::object({{"release", id}, {"deployment", deployment}});
  if (!images.empty()) {
    release.images = images;
    body["images"] = images_to_json(images);
  }
  append_entry(state_->database, "release.accepted", body);
  state_->store(release);
  transaction.commit();
}

void Ledger::end(std::int64_t id, Verdict verdict, const std::string& reason) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  Release release = state_->must_find(id);
  if (release.ended) fail(Fault::conflict, "release {} has ended already: {}", id, name_of(release.verdict));
  release.ended = formats::now();
  release.verdict = verdict;
  release.reason = reason;
  append_entry(state_->database, "release.ended",
               Json::object({{"release", id}, {"verdict", name_of(verdict)}, {"reason", reason},
                             {"ended", formats::iso8601_millis(*release.ended)}}));
  state_->store(release);
  transaction.commit();
}

std::optional<Release> Ledger::find(std::int64_t id) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT body FROM releases WHERE id = ?");
  query.bind(id);
  return one(query);
}

std::optional<Release> Ledger::latest(const std::string& environment, const std::string& service) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? ORDER BY id DESC LIMIT 1");
  query.bind(environment, service);
  return one(query);
}

std::optional<Release> Ledger::current(const std::string& environment, const std::string& service) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? AND verdict = 'succeeded' ORDER BY id DESC LIMIT 1");
  query.bind(environment, service);
  return one(query);
}

std::optional<Release> Ledger::with_task_definition(const std::string& environment, const std::string& service,
                                                    const std::string& task_definition) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE environment = ? AND service = ? AND task_definition = ? AND verdict = 'succeeded' "
      "ORDER BY id DESC LIMIT 1");
  query.bind(environment, service, task_definition);
  return one(query);
}

std::vector<Release> Ledger::history(const std::string& environment, const std::string& service, std::size_t most) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT body FROM releases WHERE (?1 = '' OR environment = ?1) AND (?2 = '' OR service = ?2) ORDER BY id DESC LIMIT ?3");
  query.bind(environment, service, static_cast<std::int64_t>(most));
  std::vector<Release> releases;
  while (auto release = one(query)) releases.push_back(std::move(*release));
  return releases;
}

std::vector<std::string> Ledger::environments() const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT DISTINCT environment FROM releases ORDER BY environment");
  std::vector<std::string> names;
  while (query.step()) names.push_back(query.get_text(0));
  return names;
}

std::vector<std::string> Ledger::services(const std::string& environment) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT service FROM releases WHERE environment = ? GROUP BY service ORDER BY min(id)");
  query.bind(environment);
  std::vector<std::string> names;
  while (query.step()) names.push_back(query.get_text(0));
  return names;
}

std::int64_t Ledger::append(const std::string& kind, const Json& body) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  auto number = append_entry(state_->database, kind, body);
  transaction.commit();
  return number;
}

std::vector<Entry> Ledger::entries(std::int64_t from, std::size_t most) const {
  std::lock_guard lock(state_->mutex);
  return read_entries(state_->database, from, most);
}

std::optional<Broken> Ledger::verify() const {
  std::lock_guard lock(state_->mutex);
  return verify_chain(state_->database);
}

}  // namespace slipway::ledger
