// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "formats/json.hpp"
#include "ledger/chain.hpp"
#include "ledger/ledger.hpp"

// A ledger as a text that others can check: docs/audit.md describes it, docs/verify_ledger.py reads it without slipway.
namespace slipway::ledger {

/// {"number", "at", "kind", "body" (text), "previous", "hash", "signature"}.
formats::Json to_json(const Entry& entry);
/// What a checkpoint's signature covers: four lines.
std::string checkpoint_text(std::int64_t entries, const std::string& head, const std::string& at);

/// Writes a line with the public key, a line for each entry, and a line with a checkpoint, through `write`.
void export_ledger(Ledger& ledger, const std::function<void(std::string_view)>& write);
/// Checks an exported text.
///   public_key  32 bytes: who must have signed; empty: whoever the text itself names
///   returns     the first thing that does not hold; number 0 when it is not an entry
std::optional<Broken> verify_export(std::string_view text, const std::string& public_key = {});
/// The same for one entry's line, after those that `check` has seen.
std::optional<Broken> check_line(ChainCheck& check, std::string_view line);
/// Whether the entries that a checkpoint covers are those of this ledger.
std::optional<Broken> verify_checkpoint(const Ledger& ledger, const formats::Json& checkpoint);

}  // namespace slipway::ledger
