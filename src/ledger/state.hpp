// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <mutex>
#include <optional>

#include "formats/sqlite.hpp"
#include "ledger/ledger.hpp"
#include "ledger/signer.hpp"

namespace slipway::ledger {

/// What a Ledger holds; only its own files see it.
struct Ledger::State {
  explicit State(const std::filesystem::path& file);

  std::mutex mutex;
  formats::Database database;  // guarded by mutex
  Signer signer;               // guarded by mutex

  /// Appends an entry about release `id` and changes what is stored of it; the caller holds lock and transaction.
  ///   throws  Error{conflict} when there is no such release
  Release note(std::int64_t id, const std::string& kind, formats::Json body);
  void store(const Release& release);
  Release must_find(std::int64_t id);
  void mark_lost();
};

}  // namespace slipway::ledger
