// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace slipway::formats {

/// An Ed25519 key pair. source RFC 8032
class Ed25519Key final {
 public:
  static Ed25519Key generate();
  /// A private key in PEM (PKCS#8). throws Error{bad_input}
  static Ed25519Key from_pem(std::string_view pem);
  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;
  Ed25519Key(const Ed25519Key&) = delete;
  Ed25519Key& operator=(const Ed25519Key&) = delete;
  ~Ed25519Key();
  /// PKCS#8 PEM, not encrypted.
  [[nodiscard]] std::string private_pem() const;
  /// 32 bytes.
  [[nodiscard]] std::string public_bytes() const;
  /// 64 bytes; the same message always gets the same signature.
  [[nodiscard]] std::string sign(std::string_view message) const;

 private:
  struct Key;
  explicit Ed25519Key(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

/// True when `signature` (64 bytes) of `message` was made with the private half of `public_key` (32 bytes).
bool verify_ed25519(std::string_view public_key, std::string_view message,
                    std::string_view signature);
/// The public key in PEM (SubjectPublicKeyInfo), as openssl reads it. throws Error{bad_input} for anything but 32 bytes
std::string ed25519_public_pem(std::string_view public_key);

}  // namespace slipway::formats
