// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace slipway::formats {

/// A prepared statement; must not outlive its Database. Parameters and columns count from 0.
class Statement final {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Forgets the former run and binds the parameters in order: integers, doubles, bool, strings,
  /// nullptr, optional of these.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(index++, values), ...);
    return *this;
  }
  void bind_blob(int index, std::string_view bytes);
  /// The next row; false at the end. throws Error{conflict} for a broken constraint,
  /// Error{unavailable} otherwise
  bool step();
  /// Steps to the end, dropping rows.
  void run();
  void reset();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t get_int(int column) const;
  [[nodiscard]] double get_double(int column) const;
  [[nodiscard]] bool get_bool(int column) const { return get_int(column) != 0; }
  [[nodiscard]] std::string get_text(int column) const;  ///< also of a blob; "" for null
  [[nodiscard]] std::optional<std::string> get_optional_text(int column) const;
  [[nodiscard]] int columns() const;

 private:
  friend class Database;
  Statement(sqlite3* database, std::string_view sql);
  void bind_int(int index, std::int64_t value);
  void bind_double(int index, double value);
  void bind_text(int index, std::string_view value);
  void bind_null(int index);
  template <typename V>
  void bind_one(int index, const V& value) {
    if constexpr (std::is_same_v<V, std::nullptr_t> || std::is_same_v<V, std::nullopt_t>) {
      bind_null(index);
    } else if constexpr (std::is_integral_v<V> || std::is_enum_v<V>) {
      bind_int(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<V>) {
      bind_double(index, value);
    } else if constexpr (std::is_convertible_v<const V&, std::string_view>) {
      bind_text(index, value);
    } else {
      if (value) {
        bind_one(index, *value);
      } else {
        bind_null(index);
      }
    }
  }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

/// One connection to an SQLite file: WAL, synchronous=FULL, foreign keys on, 10 s busy wait.
///   threads  one at a time; a connection for each thread that works in parallel
class Database final {
 public:
  /// Opens or creates. ":memory:" is a database of its own. throws Error{unavailable}
  explicit Database(const std::filesystem::path& path);
  /// Opens an existing file for reading only.
  static Database open_read_only(const std::filesystem::path& path);
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Runs one or more statements without parameters.
  void exec(const std::string& sql);
  [[nodiscard]] Statement prepare(std::string_view sql);
  /// prepare + bind + run.
  template <typename... Values>
  void run(std::string_view sql, const Values&... values) {
    prepare(sql).bind(values...).run();
  }
  /// Brings the schema up: runs the steps from `PRAGMA user_version` on, all in one transaction.
  ///   steps   SQL; only ever appended to
  ///   throws  Error{unavailable} when the file was written by a newer slipway (more steps than
  ///   given)
  void migrate(std::span<const std::string_view> steps);
  /// Rows that the last INSERT, UPDATE or DELETE touched.
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] bool in_transaction() const;

 private:
  Database(const std::filesystem::path& path, int flags);
  sqlite3* database_ = nullptr;
};

/// BEGIN IMMEDIATE; the destructor rolls back what was not committed.
class Transaction final {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  /// After it returns the changes are on disk.
  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace slipway::formats
