// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloudwatch/metrics.hpp"

#include <algorithm>

#include "formats/json.hpp"

namespace slipway::cloud::cloudwatch {
namespace {

constexpr std::int64_t kKeptMs = std::int64_t{15} * 86'400'000;

std::string text_of(const std::vector<std::pair<std::string, std::string>>& dimensions) {
  Json out = Json::array();
  for (const auto& [name, value] : dimensions) out.push_back(Json::array({name, value}));
  return out.dump();
}

std::vector<std::pair<std::string, std::string>> dimensions_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  Json pairs = formats::parse_json(text);
  for (const auto& pair : pairs.as_array())
    out.emplace_back(pair.at(0).as_string(), pair.at(1).as_string());
  return out;
}

}  // namespace

double Datum::statistic(const std::string& name) const {
  if (name == "Sum") return sum;
  if (name == "Minimum") return least;
  if (name == "Maximum") return most;
  if (name == "SampleCount") return count;
  return count == 0 ? 0 : sum / count;
}

void Datum::add(const Datum& other) {
  least = count == 0 ? other.least : std::min(least, other.least);
  most = count == 0 ? other.most : std::max(most, other.most);
  sum += other.sum;
  count += other.count;
  unit = other.unit;
}

Datum datum_of(double value, std::int64_t at_ms, const std::string& unit) {
  return {.at_ms = at_ms, .sum = value, .least = value, .most = value, .count = 1, .unit = unit};
}

Metrics::Metrics(State& state) : state_(state) {
  state_.create_tables(R"(
    CREATE TABLE IF NOT EXISTS metric (
      number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
      dimensions TEXT NOT NULL, UNIQUE (account, region, namespace, name, dimensions)) STRICT;
    CREATE TABLE IF NOT EXISTS metric_datum (
      metric INTEGER NOT NULL, at INTEGER NOT NULL, sum REAL NOT NULL, least REAL NOT NULL, most REAL NOT NULL, count REAL NOT NULL,
      unit TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS metric_datum_by_time ON metric_datum (metric, at);
  )");
}

void Metrics::put(const Scope& scope, const MetricName& metric, const std::vector<Datum>& data) {
  std::string dimensions = text_of(metric.dimensions);
  state_.write([&](Tables& tables) {
    auto& database = tables.database();
    database.run(
        "INSERT OR IGNORE INTO metric (account, region, namespace, name, dimensions) "
        "VALUES(?,?,?,?,?)",
        scope.account, scope.region, metric.metric_namespace, metric.name, dimensions);
    auto row = database.prepare(
        "SELECT number FROM metric WHERE account=? AND region=? AND namespace=? AND name=? AND "
        "dimensions=?");
    row.bind(scope.account, scope.region, metric.metric_namespace, metric.name, dimensions);
    row.step();
    auto number = row.get_int(0);
    for (const auto& datum : data) {
      database.run(
          "INSERT INTO metric_datum (metric, at, sum, least, most, count, unit) "
          "VALUES(?,?,?,?,?,?,?)",
          number, datum.at_ms, datum.sum, datum.least, datum.most, datum.count, datum.unit);
    }
  });
}

std::vector<Datum> Metrics::read(const Scope& scope, const MetricName& metric, std::int64_t from_ms,
                                 std::int64_t to_ms, std::int64_t period_ms) {
  return state_.read([&](Tables& tables) {
    auto rows = tables.database().prepare(
        "SELECT d.at, d.sum, d.least, d.most, d.count, d.unit FROM metric_datum d JOIN metric m ON "
        "d.metric=m.number WHERE m.account=? AND m.region=? AND m.namespace=? AND m.name=? AND "
        "m.dimensions=? AND d.at>=? AND d.at<? ORDER BY d.at");
    rows.bind(scope.account, scope.region, metric.metric_namespace, metric.name,
              text_of(metric.dimensions), from_ms, to_ms);
    std::vector<Datum> out;
    while (rows.step()) {
      auto begin = rows.get_int(0) / period_ms * period_ms;
      if (out.empty() || out.back().at_ms != begin) out.push_back({.at_ms = begin});
      out.back().add({.sum = rows.get_double(1),
                      .least = rows.get_double(2),
                      .most = rows.get_double(3),
                      .count = rows.get_double(4),
                      .unit = rows.get_text(5)});
    }
    return out;
  });
}

std::vector<MetricName> Metrics::list(const Scope& scope, const std::string& in_namespace) {
  return state_.read([&](Tables& tables) {
    auto rows = tables.database().prepare(
        "SELECT namespace, name, dimensions FROM metric WHERE account=? AND region=? AND (?='' OR "
        "namespace=?) ORDER BY namespace, name, dimensions");
    rows.bind(scope.account, scope.region, in_namespace, in_namespace);
    std::vector<MetricName> out;
    while (rows.step())
      out.push_back({rows.get_text(0), rows.get_text(1), dimensions_of(rows.get_text(2))});
    return out;
  });
}

void Metrics::expire(std::int64_t now_ms) {
  state_.write([&](Tables& tables) {
    tables.database().run("DELETE FROM metric_datum WHERE at<?", now_ms - kKeptMs);
    tables.database().run(
        "DELETE FROM metric WHERE number NOT IN (SELECT metric FROM metric_datum)");
  });
}

}  // namespace slipway::cloud::cloudwatch
