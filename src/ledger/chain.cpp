// SPDX-License-Identifier: Apache-2.0
#include "ledger/chain.hpp"

#include "base/error.hpp"
#include "formats/sha256.hpp"

namespace slipway::ledger {
namespace {

struct Head {
  std::int64_t number = 0;
  std::string hash = std::string(64, '0');
};

Head read_head(formats::Database& database) {
  auto query = database.prepare("SELECT number, hash FROM head");
  if (!query.step()) return {};
  return Head{query.get_int(0), query.get_text(1)};
}

}  // namespace

std::string hash_of(const Entry& entry) {
  formats::Sha256 hash;
  for (const std::string& part : {entry.previous, std::to_string(entry.number), entry.at, entry.kind, entry.body}) {
    hash.update(part);
    hash.update("\n");
  }
  return hash.hex();
}

std::int64_t append_entry(formats::Database& database, const std::string& kind, const formats::Json& body) {
  Head head = read_head(database);
  Entry entry{.number = head.number + 1,
              .at = formats::iso8601_millis(formats::now()),
              .kind = kind,
              .body = body.dump(),
              .previous = head.hash};
  entry.hash = hash_of(entry);
  database.run("INSERT INTO entries (number, at, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)", entry.number,
               entry.at, entry.kind, entry.body, entry.previous, entry.hash);
  database.run("INSERT OR REPLACE INTO head (only, number, hash) VALUES (1, ?, ?)", entry.number, entry.hash);
  return entry.number;
}

std::vector<Entry> read_entries(formats::Database& database, std::int64_t from, std::size_t most) {
  auto query = database.prepare(
      "SELECT number, at, kind, body, previous, hash FROM entries WHERE number >= ? ORDER BY number LIMIT ?");
  query.bind(from, static_cast<std::int64_t>(most));
  std::vector<Entry> entries;
  while (query.step()) {
    entries.push_back(Entry{query.get_int(0), query.get_text(1), query.get_text(2), query.get_text(3), query.get_text(4),
                            query.get_text(5)});
  }
  return entries;
}

std::optional<Broken> verify_chain(formats::Database& database) {
  Head expected;
  for (std::int64_t from = 1;;) {
    constexpr std::size_t kPage = 1000;
    auto page = read_entries(database, from, kPage);
    for (const Entry& entry : page) {
      std::int64_t number = expected.number + 1;
      if (entry.number != number) return Broken{number, fmt::format("entry {} is missing", number)};
      if (entry.previous != expected.hash) {
        return Broken{number, fmt::format("entry {} does not follow the entry before it", number)};
      }
      if (hash_of(entry) != entry.hash) return Broken{number, fmt::format("entry {} was changed", number)};
      expected = Head{entry.number, entry.hash};
    }
    if (page.size() < kPage) break;
    from = expected.number + 1;
  }
  Head head = read_head(database);
  if (head.number != expected.number) {
    return Broken{expected.number + 1, fmt::format("entries end at {}, {} were written", expected.number, head.number)};
  }
  if (head.hash != expected.hash) return Broken{head.number, fmt::format("entry {} is not the one that was written last", head.number)};
  return std::nullopt;
}

}  // namespace slipway::ledger
