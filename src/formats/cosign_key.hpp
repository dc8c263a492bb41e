// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "formats/pkey.hpp"

namespace slipway::formats {

/// True for a private key as `cosign generate-key-pair` writes it.
bool is_cosign_key(std::string_view pem);
/// Opens such a key: scrypt makes the password a key, NaCl's secretbox holds PKCS #8.
///   throws  Error{bad_input} for one that is damaged, wants more than 1 GiB of memory, or is not opened by the password;
///           Error{unavailable} where libsodium is not installed
///   source  github.com/secure-systems-lab/go-securesystemslib, encrypted/encrypted.go
Pkey private_key_of_cosign(std::string_view pem, const std::string& password);

}  // namespace slipway::formats
