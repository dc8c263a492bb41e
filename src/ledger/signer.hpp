// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "formats/ed25519.hpp"

namespace slipway::ledger {

/// The key that signs entries, in a file that only its owner reads.
class Signer final {
 public:
  explicit Signer(std::filesystem::path file) : file_(std::move(file)) {}

  /// Reads the key.
  ///   may_make  make one when there is none
  ///   throws    Error{unavailable} when there is none and none may be made: entries that were signed with it could not go on
  const formats::Ed25519Key& key(bool may_make);
  /// 32 bytes; empty when there is no key.
  [[nodiscard]] std::string public_key();

 private:
  bool read();
  std::filesystem::path file_;
  std::optional<formats::Ed25519Key> key_;
};

}  // namespace slipway::ledger
