// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_store.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/reference.hpp"
#include "oci/registry_state.hpp"

namespace slipway::oci {
namespace {

using formats::Database;
using formats::Statement;
using formats::Transaction;

constexpr std::string_view kSchema[] = {R"(
CREATE TABLE repositories(name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE blobs(repository TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, linked INTEGER NOT NULL,
  PRIMARY KEY(repository, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_digest ON blobs(digest);
CREATE TABLE manifests(repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, body BLOB NOT NULL,
  pushed INTEGER NOT NULL, subject TEXT, artifact_type TEXT NOT NULL, annotations TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX manifests_by_digest ON manifests(repository, digest);
CREATE INDEX manifests_by_subject ON manifests(repository, subject) WHERE subject IS NOT NULL;
CREATE TABLE tags(repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, updated INTEGER NOT NULL,
  PRIMARY KEY(repository, tag)) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags(repository, digest);
)"};

constexpr std::size_t kMostCached = 16u << 20;  // bytes of manifests

os::FileLock take_lock(const std::filesystem::path& root) {
  os::make_dirs(root / "uploads");
  auto lock = os::FileLock::try_take(root / "registry.lock");
  if (!lock)
    fail(Fault::conflict, "the registry in '{}' is in use by another process", root.string());
  return std::move(*lock);
}

Database open_database(const std::filesystem::path& root) {
  Database database(root / "registry.db");
  database.migrate(kSchema);
  return database;
}

std::int64_t limit_of(std::size_t limit) {
  return limit > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(limit);
}

std::vector<std::string> texts(Statement& statement) {
  std::vector<std::string> result;
  while (statement.step()) result.push_back(statement.get_text(0));
  return result;
}

}  // namespace

std::int64_t to_millis(formats::Time time) { return time.time_since_epoch().count(); }
formats::Time from_millis(std::int64_t millis) {
  return formats::Time(std::chrono::milliseconds(millis));
}

RegistryStore::State::State(std::filesystem::path its_root)
    : root(std::move(its_root)),
      lock(take_lock(root)),
      blobs(root),
      writer(open_database(root)),
      reader(open_database(root)),
      started(formats::now()) {
  bytes = writer.with([](Database& database) {
    Statement sum = database.prepare(
        "SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT digest, size FROM blobs)");
    sum.step();
    return static_cast<std::uint64_t>(sum.get_int(0));
  });
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "uploads")) {
    if (entry.is_regular_file()) pending += entry.file_size();
  }
}

void RegistryStore::State::forget(std::string_view repository) {
  std::unique_lock held(cache_mutex);
  ++version;
  auto found = cache.by_repository.find(std::string(repository));
  if (found == cache.by_repository.end()) return;
  for (const auto& [name, manifest] : found->second) cache.bytes -= manifest.bytes->size();
  cache.by_repository.erase(found);
}

void RegistryStore::State::require_repository(Database& database, std::string_view repository) {
  if (!database.prepare("SELECT 1 FROM repositories WHERE name = ?").bind(repository).step()) {
    throw RegistryRefusal(404, "NAME_UNKNOWN",
                          fmt::format("repository name not known to registry: {}", repository));
  }
}

RegistryStore::RegistryStore(std::filesystem::path root)
    : state_(std::make_unique<State>(std::move(root))) {}
RegistryStore::~RegistryStore() = default;

bool RegistryStore::create_repository(std::string_view repository) {
  if (!is_repository(repository)) {
    throw RegistryRefusal(400, "NAME_INVALID",
                          fmt::format("invalid repository name: '{}'", repository.substr(0, 300)));
  }
  if (has_repository(repository)) return false;
  return state_->writer.with([&](Database& database) {
    database.run("INSERT OR IGNORE INTO repositories VALUES (?, ?)", repository,
                 to_millis(formats::now()));
    return database.changes() > 0;
  });
}

bool RegistryStore::has_repository(std::string_view repository) const {
  return state_->reader.with([&](Database& database) {
    return database.prepare("SELECT 1 FROM repositories WHERE name = ?").bind(repository).step();
  });
}

std::vector<std::string> RegistryStore::repositories(std::string_view after,
                                                     std::size_t limit) const {
  return state_->reader.with([&](Database& database) {
    Statement rows =
        database.prepare("SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?");
    return texts(rows.bind(after, limit_of(limit)));
  });
}

bool RegistryStore::delete_repository(std::string_view repository) {
  bool existed = state_->writer.with([&](Database& database) {
    Transaction change(database);
    database.run("DELETE FROM repositories WHERE name = ?", repository);
    bool was_there = database.changes() > 0;
    Statement rows = database.prepare("SELECT digest FROM blobs WHERE repository = ?");
    std::uint64_t freed = 0;
    for (const std::string& digest : texts(rows.bind(repository)))
      freed += State::unlink_blob(database, repository, digest).value_or(0);
    for (const char* table : {"tags", "manifests"}) {
      database.run(fmt::format("DELETE FROM {} WHERE repository = ?", table), repository);
    }
    change.commit();
    state_->bytes -= freed;
    return was_there;
  });
  state_->forget(repository);
  for (const auto& [name, id] : state_->upload_names()) {
    if (name == repository) state_->cancel(name, id);
  }
  return existed;
}

std::optional<StoredManifest> RegistryStore::manifest(std::string_view repository,
                                                      std::string_view tag_or_digest) const {
  const std::string key(tag_or_digest);
  std::uint64_t version = 0;
  {
    std::shared_lock held(state_->cache_mutex);
    version = state_->version;
    if (auto names = state_->cache.by_repository.find(std::string(repository));
        names != state_->cache.by_repository.end()) {
      if (auto found = names->second.find(key); found != names->second.end()) return found->second;
    }
  }
  auto read = state_->reader.with([&](Database& database) -> std::optional<StoredManifest> {
    bool is_digest = Digest::try_parse(tag_or_digest).has_value();
    Statement row = database.prepare(
        is_digest ? "SELECT digest, media_type, body, pushed FROM manifests WHERE repository = ? "
                    "AND digest = ?"
                  : "SELECT m.digest, m.media_type, m.body, m.pushed FROM tags t JOIN manifests m "
                    "ON m.repository = t.repository AND m.digest = t.digest WHERE t.repository = ? "
                    "AND t.tag = ?");
    if (!row.bind(repository, tag_or_digest).step()) return std::nullopt;
    return StoredManifest{Digest::parse(row.get_text(0)), row.get_text(1),
                          std::make_shared<const std::string>(row.get_text(2)),
                          from_millis(row.get_int(3))};
  });
  if (!read) return read;
  std::unique_lock held(state_->cache_mutex);
  if (state_->version != version) return read;  // something changed since: may be old by now
  if (state_->cache.bytes > kMostCached) state_->cache = {};
  if (state_->cache.by_repository[std::string(repository)].emplace(key, *read).second)
    state_->cache.bytes += read->bytes->size();
  return read;
}

std::vector<std::string> RegistryStore::tags(std::string_view repository, std::string_view after,
                                             std::size_t limit) const {
  return state_->reader.with([&](Database& database) {
    Statement rows = database.prepare(
        "SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?");
    return texts(rows.bind(repository, after, limit_of(limit)));
  });
}

std::vector<std::string> RegistryStore::tags_of(std::string_view repository,
                                                const Digest& digest) const {
  return state_->reader.with([&](Database& database) {
    Statement rows =
        database.prepare("SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag");
    return texts(rows.bind(repository, digest.str()));
  });
}

std::vector<RegistryStore::ListedManifest> RegistryStore::manifests(
    std::string_view repository) const {
  std::vector<ListedManifest> result = state_->reader.with([&](Database& database) {
    std::vector<ListedManifest> list;
    Statement rows = database.prepare(
        "SELECT digest, media_type, length(body), pushed, artifact_type FROM manifests WHERE "
        "repository = ? ORDER BY rowid");
    rows.bind(repository);
    while (rows.step()) {
      list.push_back({Digest::parse(rows.get_text(0)),
                      rows.get_text(1),
                      static_cast<std::uint64_t>(rows.get_int(2)),
                      from_millis(rows.get_int(3)),
                      rows.get_text(4),
                      {}});
    }
    return list;
  });
  for (ListedManifest& manifest : result) manifest.tags = tags_of(repository, manifest.digest);
  return result;
}

bool RegistryStore::delete_tag(std::string_view repository, std::string_view tag) {
  bool existed = state_->writer.with([&](Database& database) {
    database.run("DELETE FROM tags WHERE repository = ? AND tag = ?", repository, tag);
    return database.changes() > 0;
  });
  state_->forget(repository);
  return existed;
}

bool RegistryStore::delete_manifest(std::string_view repository, const Digest& digest) {
  bool existed = state_->writer.with([&](Database& database) {
    Transaction change(database);
    database.run("DELETE FROM tags WHERE repository = ? AND digest = ?", repository, digest.str());
    database.run("DELETE FROM manifests WHERE repository = ? AND digest = ?", repository,
                 digest.str());
    bool was_there = database.changes() > 0;
    change.commit();
    return was_there;
  });
  state_->forget(repository);
  return existed;
}

}  // namespace slipway::oci
