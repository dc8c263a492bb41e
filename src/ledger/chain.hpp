// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "formats/json.hpp"
#include "formats/sqlite.hpp"
#include "ledger/ledger.hpp"

// The chain of entries in its table. An entry's hash covers the hash of the entry before, so that no entry can be changed,
// taken out, put in or moved without every later hash changing; the table `head` keeps number and hash of the last entry, so
// that cutting entries off the end shows too.
namespace slipway::ledger {

/// Appends within the caller's transaction; returns the entry's number.
std::int64_t append_entry(formats::Database& database, const std::string& kind, const formats::Json& body);
std::vector<Entry> read_entries(formats::Database& database, std::int64_t from, std::size_t most);
std::optional<Broken> verify_chain(formats::Database& database);

}  // namespace slipway::ledger
