// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "formats/json.hpp"

namespace slipway::cloud::sts {

/// An identity token as it reads; nothing in it is believed before verify_signature().
struct IdentityToken {
  formats::Json header;
  formats::Json claims;
  std::string signed_part;  ///< "header.payload" as sent
  std::string signature;    ///< bytes
};

/// Reads a compact JWS whose header and payload are JSON objects; nothing when it is none.
///   source  RFC 7515 section 7.1, RFC 7519
std::optional<IdentityToken> read_token(std::string_view text);

/// True when a key of the set verifies the signature by the algorithm of the token's header: RS256, RS384, RS512, ES256, ES384 or
/// ES512, and the key's own kind must fit it. A token with a kid is verified by keys of that kid only; "none" and symmetric
/// algorithms never verify.
///   jwks    {"keys": […]}, RFC 7517
bool verify_signature(const IdentityToken& token, const formats::Json& jwks);

}  // namespace slipway::cloud::sts
