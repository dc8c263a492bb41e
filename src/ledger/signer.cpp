// SPDX-License-Identifier: Apache-2.0
#include "ledger/signer.hpp"

#include "base/error.hpp"
#include "os/file.hpp"

namespace slipway::ledger {

bool Signer::read() {
  if (key_) return true;
  auto pem = os::read_file_if_exists(file_);
  if (!pem) return false;
  key_ = while_doing(fmt::format("reading '{}'", file_.string()),
                     [&] { return formats::Ed25519Key::from_pem(*pem); });
  return true;
}

const formats::Ed25519Key& Signer::key(bool may_make) {
  if (read()) return *key_;
  if (!may_make) {
    fail(Fault::unavailable,
         "the key '{}' that signed the ledger is gone: put it back, or move ledger.db away to "
         "begin a new one",
         file_.string());
  }
  auto made = formats::Ed25519Key::generate();
  os::write_file_durably(file_, made.private_pem(), 0600);
  key_ = std::move(made);
  return *key_;
}

std::string Signer::public_key() { return read() ? key_->public_bytes() : std::string(); }

}  // namespace slipway::ledger
