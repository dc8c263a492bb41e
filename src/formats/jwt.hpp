// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "formats/json.hpp"

namespace slipway::formats {

/// An RSA key pair for RS256.
class RsaKey final {
 public:
  /// A new key; takes about 0.1 s for 2048 bits.
  static RsaKey generate(int bits = 2048);
  /// A private key in PEM (PKCS#8 or PKCS#1). throws Error{bad_input}
  static RsaKey from_pem(std::string_view pem);
  RsaKey(RsaKey&&) noexcept;
  RsaKey& operator=(RsaKey&&) noexcept;
  RsaKey(const RsaKey&) = delete;
  RsaKey& operator=(const RsaKey&) = delete;
  ~RsaKey();
  /// PKCS#8 PEM, not encrypted.
  [[nodiscard]] std::string private_pem() const;
  /// The public half: kty, use "sig", alg "RS256", kid, n, e. source RFC 7517, 7518 6.3.1
  [[nodiscard]] Json public_jwk() const;
  /// The key's name: its RFC 7638 thumbprint.
  [[nodiscard]] std::string kid() const;
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  [[nodiscard]] std::string sign(std::string_view bytes) const;

 private:
  struct Key;
  explicit RsaKey(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

/// A token as it reads, signature not looked at.
struct Jwt {
  Json header;
  Json claims;
};

/// Why a token is refused.
struct JwtRefusal {
  enum class Kind { malformed, unsupported_algorithm, unknown_key, bad_signature };
  Kind kind;
  std::string reason;  ///< for people
};

/// Header {"typ":"JWT","alg":"RS256","kid":kid} and the claims, signed. source RFC 7515, 7519
std::string sign_jwt(const RsaKey& key, std::string_view kid, const Json& claims);
/// Checks the signature (RS256 and nothing else) by the key of the set that has the token's kid;
/// with no kid in the token the set must hold one key. exp, nbf, iss and aud are the caller's.
///   jwks     {"keys": [...]}
///   returns  the token, or why not
std::variant<Jwt, JwtRefusal> verify_jwt(std::string_view token, const Json& jwks);
/// Reads without verifying; nothing when it is no JWT.
std::optional<Jwt> decode_jwt(std::string_view token);

}  // namespace slipway::formats
