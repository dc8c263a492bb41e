// SPDX-License-Identifier: Apache-2.0
#include "ledger/chain.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/ed25519.hpp"
#include "formats/sha256.hpp"

namespace slipway::ledger {
namespace {

using formats::Json;

void insert(formats::Database& database, Signer& signer, const Head& head, const std::string& kind,
            const Json& body) {
  Entry entry{.number = head.number + 1,
              .at = formats::iso8601_millis(formats::now()),
              .kind = kind,
              .body = body.dump(),
              .previous = head.hash};
  entry.hash = hash_of(entry);
  auto signed_before = database.prepare("SELECT 1 FROM entries WHERE signature <> '' LIMIT 1");
  entry.signature = base64(signer.key(!signed_before.step()).sign(entry.hash));
  database.run(
      "INSERT INTO entries (number, at, kind, body, previous, hash, signature) VALUES (?, ?, ?, ?, "
      "?, ?, ?)",
      entry.number, entry.at, entry.kind, entry.body, entry.previous, entry.hash, entry.signature);
  database.run("INSERT OR REPLACE INTO head (only, number, hash) VALUES (1, ?, ?)", entry.number,
               entry.hash);
}

// The first signed entry of a ledger whose earlier entries were written before entries were signed.
constexpr std::string_view kSignedFromHere = "ledger.signed";

}  // namespace

Head read_head(formats::Database& database) {
  auto query = database.prepare("SELECT number, hash FROM head");
  if (!query.step()) return {};
  return Head{query.get_int(0), query.get_text(1)};
}

std::string hash_of(const Entry& entry) {
  formats::Sha256 hash;
  for (const std::string& part :
       {entry.previous, std::to_string(entry.number), entry.at, entry.kind, entry.body}) {
    hash.update(part);
    hash.update("\n");
  }
  return hash.hex();
}

std::int64_t append_entry(formats::Database& database, Signer& signer, const std::string& kind,
                          const Json& body) {
  Head head = read_head(database);
  if (head.number > 0) {
    auto last = read_entries(database, head.number, 1);
    if (!last.empty() && last.front().signature.empty()) {
      insert(database, signer, head, std::string(kSignedFromHere),
             Json::object({{"entriesBefore", head.number}}));
      head = read_head(database);
    }
  }
  insert(database, signer, head, kind, body);
  return head.number + 1;
}

std::vector<Entry> read_entries(formats::Database& database, std::int64_t from, std::size_t most) {
  auto query = database.prepare(
      "SELECT number, at, kind, body, previous, hash, signature FROM entries WHERE number >= ? "
      "ORDER BY number LIMIT ?");
  query.bind(from, static_cast<std::int64_t>(most));
  std::vector<Entry> entries;
  while (query.step()) {
    entries.push_back(Entry{query.get_int(0), query.get_text(1), query.get_text(2),
                            query.get_text(3), query.get_text(4), query.get_text(5),
                            query.get_text(6)});
  }
  return entries;
}

std::string ChainCheck::signature_trouble(const Entry& entry) const {
  if (entry.signature.empty()) return is_signed_ ? "is not signed" : "";
  if (!is_signed_ && entry.number > 1 && entry.kind != kSignedFromHere)
    return "is the first that is signed";
  if (public_key_.empty()) return "cannot be checked: the public key is missing";
  auto signature = unbase64(entry.signature);
  bool is_good = signature && formats::verify_ed25519(public_key_, entry.hash, *signature);
  return is_good ? "" : "has a signature that is not by the ledger's key";
}

std::optional<Broken> ChainCheck::next(const Entry& entry) {
  std::int64_t number = head_.number + 1;
  if (entry.number != number) return Broken{number, fmt::format("entry {} is missing", number)};
  if (entry.previous != head_.hash) {
    return Broken{number, fmt::format("entry {} does not follow the entry before it", number)};
  }
  if (hash_of(entry) != entry.hash)
    return Broken{number, fmt::format("entry {} was changed", number)};
  if (auto trouble = signature_trouble(entry); !trouble.empty())
    return Broken{number, fmt::format("entry {} {}", number, trouble)};
  is_signed_ = is_signed_ || !entry.signature.empty();
  head_ = Head{entry.number, entry.hash};
  return std::nullopt;
}

std::optional<Broken> verify_chain(formats::Database& database, const std::string& public_key) {
  ChainCheck check(public_key);
  for (std::int64_t from = 1;;) {
    constexpr std::size_t kPage = 1000;
    auto page = read_entries(database, from, kPage);
    for (const Entry& entry : page) {
      if (auto broken = check.next(entry)) return broken;
    }
    if (page.size() < kPage) break;
    from = check.head().number + 1;
  }
  Head head = read_head(database);
  if (head.number != check.head().number) {
    return Broken{check.head().number + 1, fmt::format("entries end at {}, {} were written",
                                                       check.head().number, head.number)};
  }
  if (head.hash != check.head().hash)
    return Broken{head.number,
                  fmt::format("entry {} is not the one that was written last", head.number)};
  auto last = read_entries(database, head.number, 1);
  if (!public_key.empty() && !last.empty() && last.front().signature.empty()) {
    return Broken{1, "no entry is signed, though there is a key"};
  }
  return std::nullopt;
}

}  // namespace slipway::ledger
