// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "formats/json.hpp"
#include "formats/sqlite.hpp"
#include "ledger/ledger.hpp"
#include "ledger/signer.hpp"

// The chain of entries in its table. An entry's hash covers the hash of the entry before, so that no entry can be changed,
// taken out, put in or moved without every later hash changing, and its signature covers the hash, so that nobody can make them
// all anew; the table `head` keeps number and hash of the last entry, so that cutting entries off the end shows too.
namespace slipway::ledger {

struct Head {
  std::int64_t number = 0;
  std::string hash = std::string(64, '0');
};
Head read_head(formats::Database& database);

/// Appends within the caller's transaction; returns the entry's number.
std::int64_t append_entry(formats::Database& database, Signer& signer, const std::string& kind,
                          const formats::Json& body);
std::vector<Entry> read_entries(formats::Database& database, std::int64_t from, std::size_t most);
/// Checks one entry after the other as they were read.
class ChainCheck final {
 public:
  /// `public_key`: 32 bytes; empty when there is none.
  explicit ChainCheck(std::string public_key) : public_key_(std::move(public_key)) {}
  /// Nothing when the entry follows the one that was given before.
  std::optional<Broken> next(const Entry& entry);
  [[nodiscard]] const Head& head() const { return head_; }

 private:
  [[nodiscard]] std::string signature_trouble(const Entry& entry) const;

  std::string public_key_;
  Head head_;
  bool is_signed_ = false;
};
/// Within the caller's transaction.
std::optional<Broken> verify_chain(formats::Database& database, const std::string& public_key);

}  // namespace slipway::ledger
