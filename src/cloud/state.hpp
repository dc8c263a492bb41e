// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "formats/json.hpp"
#include "formats/sqlite.hpp"

namespace slipway::cloud {

using formats::Json;

/// Where a resource lives. Global services (iam) leave the region empty.
struct Scope {
  std::string account;
  std::string region;
  bool operator==(const Scope&) const = default;
};

/// A resource as it is kept: a JSON document under kind ("ecs.service"), scope and id ("web/api").
struct Stored {
  std::string id;
  Json body;
};

/// The tables inside one transaction; valid until the function given to State ends.
class Tables final {
 public:
  explicit Tables(formats::Database& database) : database_(database) {}
  /// The document, or nothing.
  std::optional<Json> get(std::string_view kind, const Scope& scope, std::string_view id);
  /// Creates or replaces.
  void put(std::string_view kind, const Scope& scope, std::string_view id, const Json& body);
  /// Returns whether there was one.
  bool erase(std::string_view kind, const Scope& scope, std::string_view id);
  /// Documents whose id starts with `prefix` and is greater than `after`, in the order of their ids (bytes), at most `limit`.
  std::vector<Stored> list(std::string_view kind, const Scope& scope, std::string_view prefix = {},
                           std::string_view after = {}, std::size_t limit = 1'000'000);
  /// The same over every account and region; for schedulers at start.
  std::vector<std::pair<Scope, Stored>> list_everywhere(std::string_view kind);
  /// Counts up from 1, kept for ever: revisions of a family and the like.
  std::int64_t next_number(std::string_view kind, const Scope& scope, std::string_view id);
  /// For tables of a service's own (made with State::create_tables).
  [[nodiscard]] formats::Database& database() { return database_; }

 private:
  formats::Database& database_;
};

/// All that the cloud remembers: one SQLite file (WAL, synchronous=FULL). What write() has returned from survives kill -9.
///   threads  any; writers take turns. Never call out (runtime, network, log) from inside the functions.
class State final {
 public:
  /// Opens or creates the file, brings its schema up to date.
  explicit State(const std::filesystem::path& file);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Runs `use(Tables&)` in one transaction; an exception rolls it back. Returns what `use` returns.
  template <typename Use>
  decltype(auto) write(Use&& use) {
    std::lock_guard lock(mutex_);
    formats::Transaction transaction(database_);
    Tables tables(database_);
    if constexpr (std::is_void_v<std::invoke_result_t<Use, Tables&>>) {
      std::forward<Use>(use)(tables);
      transaction.commit();
    } else {
      auto result = std::forward<Use>(use)(tables);
      transaction.commit();
      return result;
    }
  }
  /// Runs `use(Tables&)` without a write transaction.
  template <typename Use>
  auto read(Use&& use) {
    std::lock_guard lock(mutex_);
    Tables tables(database_);
    return std::forward<Use>(use)(tables);
  }
  /// Runs a script of CREATE TABLE IF NOT EXISTS … for a service's own tables.
  void create_tables(const std::string& script);

 private:
  std::mutex mutex_;
  formats::Database database_;  // guarded by mutex_
};

}  // namespace slipway::cloud
