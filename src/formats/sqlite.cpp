// SPDX-License-Identifier: Apache-2.0
#include "formats/sqlite.hpp"

#include <sqlite3.h>

#include <cassert>
#include <utility>

#include "base/error.hpp"

namespace slipway::formats {
namespace {

[[noreturn]] void refuse(sqlite3* database, std::string_view doing) {
  int code = sqlite3_errcode(database);
  Fault fault = (code & 0xff) == SQLITE_CONSTRAINT ? Fault::conflict : Fault::unavailable;
  fail(fault, "{}: {}", doing, sqlite3_errmsg(database));
}

}  // namespace

Statement::Statement(sqlite3* database, std::string_view sql) : database_(database) {
  if (sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_,
                         nullptr) != SQLITE_OK) {
    refuse(database, sql);
  }
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::bind_int(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_, index + 1, value) != SQLITE_OK)
    refuse(database_, sqlite3_sql(statement_));
}

void Statement::bind_double(int index, double value) {
  if (sqlite3_bind_double(statement_, index + 1, value) != SQLITE_OK)
    refuse(database_, sqlite3_sql(statement_));
}

void Statement::bind_text(int index, std::string_view value) {
  const char* text = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  if (sqlite3_bind_text64(statement_, index + 1, text, value.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8) != SQLITE_OK) {
    refuse(database_, sqlite3_sql(statement_));
  }
}

void Statement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (sqlite3_bind_blob64(statement_, index + 1, data, bytes.size(), SQLITE_TRANSIENT) !=
      SQLITE_OK) {
    refuse(database_, sqlite3_sql(statement_));
  }
}

void Statement::bind_null(int index) {
  if (sqlite3_bind_null(statement_, index + 1) != SQLITE_OK)
    refuse(database_, sqlite3_sql(statement_));
}

bool Statement::step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      refuse(database_, sqlite3_sql(statement_));
  }
}

void Statement::run() {
  while (step()) {
  }
  sqlite3_reset(statement_);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::get_int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::get_double(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::get_text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);  // text as UTF-8, blobs as they are
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::string> Statement::get_optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return get_text(column);
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

Database::Database(const std::filesystem::path& path, int flags) {
  if (sqlite3_open_v2(path.c_str(), &database_, flags | SQLITE_OPEN_NOMUTEX, nullptr) !=
      SQLITE_OK) {
    std::string cause = sqlite3_errmsg(database_);
    sqlite3_close_v2(std::exchange(database_, nullptr));
    fail(Fault::unavailable, "opening the database '{}': {}", path.string(), cause);
  }
  sqlite3_extended_result_codes(database_, 1);
  sqlite3_busy_timeout(database_, 10'000);
}

Database::Database(const std::filesystem::path& path)
    : Database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {
  while_doing("opening the database '" + path.string() + "'", [&] {
    exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
  });
}

Database Database::open_read_only(const std::filesystem::path& path) {
  return {path, SQLITE_OPEN_READONLY};
}

Database::Database(Database&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Database::~Database() { sqlite3_close_v2(database_); }

void Database::exec(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    refuse(database_, sql);
}

Statement Database::prepare(std::string_view sql) { return {database_, sql}; }

void Database::migrate(std::span<const std::string_view> steps) {
  Transaction transaction(*this);
  Statement version = prepare("PRAGMA user_version");
  version.step();
  auto done = static_cast<std::size_t>(version.get_int(0));
  version.reset();
  if (done > steps.size()) {
    fail(Fault::unavailable,
         "the database was written by a newer slipway (schema {}, this one knows {})", done,
         steps.size());
  }
  for (std::string_view step : steps.subspan(done)) exec(std::string(step));
  if (done < steps.size()) exec(fmt::format("PRAGMA user_version={}", steps.size()));
  transaction.commit();
}

std::int64_t Database::changes() const { return sqlite3_changes64(database_); }

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(database_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

Transaction::Transaction(Database& database) : database_(database) {
  database_.exec("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!is_open_ || !database_.in_transaction()) return;
  try {
    database_.exec("ROLLBACK");
  } catch (const Error&) {
    assert(false && "a rollback fails only when there is no transaction");
  }
}

void Transaction::commit() {
  database_.exec("COMMIT");
  is_open_ = false;
}

}  // namespace slipway::formats
