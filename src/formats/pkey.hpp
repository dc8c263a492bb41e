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
/// The key as PKCS #8 in PEM, not encrypted. throws Error{unavailable}
std::string pem_of(const Pkey& key);

}  // namespace slipway::formats
