// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace slipway::formats {

struct FreePkey {
  void operator()(evp_pkey_st* key) const;
};
/// A key of OpenSSL's: a pair, or a public one alone.
using Pkey = std::unique_ptr<evp_pkey_st, FreePkey>;

/// A private key out of PEM, without ever asking for a password.
///   kind     OpenSSL's name: "RSA", "ED25519"
///   returns  null when the text holds no such key
Pkey private_key_of(std::string_view pem, const char* kind);
/// A private key of any kind out of PEM; `password` opens an encrypted one. Null when there is none, or the password is wrong.
Pkey private_key_with_password(std::string_view pem, const std::string& password);
/// A public key (SubjectPublicKeyInfo) out of PEM, also the public half of a private one that is not encrypted. Null when there is none.
Pkey public_key_of_pem(std::string_view pem);
/// Signs: Ed25519 over the message, ECDSA (DER) and RSA (PKCS #1 v1.5) over its SHA-256. throws Error{unavailable}
std::string sign_with(const Pkey& key, std::string_view message);
/// True when `signature` of `message` was made with the private half of `key`.
bool verify_with(const Pkey& key, std::string_view message, std::string_view signature);
/// The key as PKCS #8 in PEM, not encrypted. throws Error{unavailable}
std::string pem_of(const Pkey& key);

}  // namespace slipway::formats
