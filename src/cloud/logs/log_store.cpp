// SPDX-License-Identifier: Apache-2.0
#include "cloud/logs/log_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/service.hpp"

namespace slipway::cloud::logs {
namespace {

std::optional<std::int64_t> stream_number(Tables& tables, const Scope& scope,
                                          const std::string& group, const std::string& stream) {
  auto row = tables.database().prepare(
      "SELECT number FROM log_stream WHERE account=? AND region=? AND log_group=? AND name=?");
  row.bind(scope.account, scope.region, group, stream);
  if (!row.step()) return std::nullopt;
  return row.get_int(0);
}

void need_group(Tables& tables, const Scope& scope, const std::string& group) {
  if (!tables.get(kGroupKind, scope, group))
    throw Refusal("ResourceNotFoundException", "The specified log group does not exist.");
}

// The streams that a query speaks of: number -> name.
std::vector<std::pair<std::int64_t, std::string>> streams_of(Tables& tables, const Scope& scope,
                                                             const LogQuery& query) {
  auto rows = tables.database().prepare(
      "SELECT number, name FROM log_stream WHERE account=? AND region=? AND log_group=? ORDER BY "
      "name");
  rows.bind(scope.account, scope.region, query.group);
  std::vector<std::pair<std::int64_t, std::string>> found;
  while (rows.step()) {
    auto name = rows.get_text(1);
    bool named = query.streams.empty() ||
                 std::find(query.streams.begin(), query.streams.end(), name) != query.streams.end();
    if (named && name.starts_with(query.stream_prefix)) found.emplace_back(rows.get_int(0), name);
  }
  return found;
}

void delete_stream_number(Tables& tables, std::int64_t number) {
  tables.database().run("DELETE FROM log_event WHERE stream=?", number);
  tables.database().run("DELETE FROM log_stream WHERE number=?", number);
}

}  // namespace

LogStore::LogStore(State& state) : state_(state) {}

bool LogStore::create_group(const Scope& scope, const std::string& group, std::int64_t now_ms) {
  return state_.write([&](Tables& tables) {
    if (tables.get(kGroupKind, scope, group)) return false;
    tables.put(kGroupKind, scope, group,
               Json::object({{"created", now_ms}, {"tags", Json::object({})}}));
    return true;
  });
}

bool LogStore::has_group(const Scope& scope, const std::string& group) {
  return state_.read(
      [&](Tables& tables) { return tables.get(kGroupKind, scope, group).has_value(); });
}

bool LogStore::create_stream(const Scope& scope, const std::string& group,
                             const std::string& stream, std::int64_t now_ms) {
  return state_.write([&](Tables& tables) {
    need_group(tables, scope, group);
    if (stream_number(tables, scope, group, stream)) return false;
    tables.database().run(
        "INSERT INTO log_stream (account, region, log_group, name, created) VALUES(?,?,?,?,?)",
        scope.account, scope.region, group, stream, now_ms);
    return true;
  });
}

void LogStore::append(const Scope& scope, const std::string& group, const std::string& stream,
                      const std::vector<LogEvent>& events, std::int64_t now_ms) {
  if (events.empty()) return;
  state_.write([&](Tables& tables) {
    need_group(tables, scope, group);
    auto number = stream_number(tables, scope, group, stream);
    if (!number)
      throw Refusal("ResourceNotFoundException", "The specified log stream does not exist.");
    auto insert = tables.database().prepare(
        "INSERT INTO log_event (stream, timestamp, ingested, message) VALUES(?,?,?,?)");
    std::int64_t first = events.front().timestamp, last = first, bytes = 0;
    for (const auto& event : events) {
      insert.bind(*number, event.timestamp, now_ms, event.message).run();
      first = std::min(first, event.timestamp);
      last = std::max(last, event.timestamp);
      bytes += static_cast<std::int64_t>(event.message.size()) + 26;
    }
    tables.database().run(
        "UPDATE log_stream SET first_event=min(coalesce(first_event,?),?), "
        "last_event=max(coalesce(last_event,?),?), last_ingested=?, bytes=bytes+? WHERE number=?",
        first, first, last, last, now_ms, bytes, *number);
  });
  appends_.with([](std::uint64_t& count) { ++count; });
}

std::int64_t LogStore::newest_number() {
  return state_.read([](Tables& tables) {
    auto row = tables.database().prepare("SELECT coalesce(max(number),0) FROM log_event");
    row.step();
    return row.get_int(0);
  });
}

bool LogStore::wait_for_append(const std::stop_token& stop, Deadline deadline,
                               std::uint64_t& seen) {
  return appends_.wait(
      stop, deadline, [&](std::uint64_t count) { return count != seen; },
      [&](std::uint64_t count) { seen = count; });
}

std::vector<LogEvent> LogStore::read(const Scope& scope, const LogQuery& query) {
  return state_.read([&](Tables& tables) {
    need_group(tables, scope, query.group);
    std::vector<LogEvent> events;
    std::string order = query.newest_first ? "DESC" : "ASC";
    auto rows = tables.database().prepare(
        fmt::format("SELECT number, timestamp, ingested, message FROM log_event WHERE stream=? AND "
                    "timestamp>=? AND timestamp<? AND number>? AND number<? "
                    "ORDER BY timestamp {0}, number {0} LIMIT ?",
                    order));
    for (const auto& [number, name] : streams_of(tables, scope, query)) {
      rows.bind(number, query.from_ms.value_or(0), query.to_ms.value_or(INT64_MAX),
                query.after_number, query.before_number > 0 ? query.before_number : INT64_MAX,
                query.limit);
      while (rows.step()) {
        events.push_back({.timestamp = rows.get_int(1),
                          .message = rows.get_text(3),
                          .ingested = rows.get_int(2),
                          .number = rows.get_int(0),
                          .stream = name});
      }
    }
    std::sort(events.begin(), events.end(), [&](const LogEvent& a, const LogEvent& b) {
      auto left = std::pair(a.timestamp, a.number), right = std::pair(b.timestamp, b.number);
      return query.newest_first ? right < left : left < right;
    });
    if (events.size() > query.limit) events.resize(query.limit);
    return events;
  });
}

void LogStore::expire(std::int64_t now_ms) {
  state_.write([&](Tables& tables) {
    for (const auto& [scope, group] : tables.list_everywhere(kGroupKind)) {
      auto days = group.body.get_int("retentionInDays");
      if (days == 0) continue;
      tables.database().run(
          "DELETE FROM log_event WHERE timestamp<? AND stream IN (SELECT number FROM log_stream "
          "WHERE account=? AND region=? AND log_group=?)",
          now_ms - days * 86'400'000, scope.account, scope.region, group.id);
    }
  });
}

bool LogStore::delete_group(const Scope& scope, const std::string& group) {
  return state_.write([&](Tables& tables) {
    if (!tables.erase(kGroupKind, scope, group)) return false;
    for (const auto& [number, name] : streams_of(
             tables, scope,
             LogQuery{
                 .group = group, .streams = {}, .stream_prefix = "", .from_ms = {}, .to_ms = {}})) {
      delete_stream_number(tables, number);
    }
    return true;
  });
}

bool LogStore::delete_stream(const Scope& scope, const std::string& group,
                             const std::string& stream) {
  return state_.write([&](Tables& tables) {
    auto number = stream_number(tables, scope, group, stream);
    if (!number) return false;
    delete_stream_number(tables, *number);
    return true;
  });
}

}  // namespace slipway::cloud::logs
