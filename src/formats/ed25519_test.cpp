// SPDX-License-Identifier: Apache-2.0
#include "formats/ed25519.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace slipway;
using namespace slipway::formats;

TEST_CASE(
    "a signature holds for its message and its key only, also after the key was printed and read") {
  auto key = Ed25519Key::from_pem(Ed25519Key::generate().private_pem());
  auto signature = key.sign("hello");
  CHECK(verify_ed25519(key.public_bytes(), "hello", signature));
  CHECK_FALSE(verify_ed25519(key.public_bytes(), "hellp", signature));
  CHECK_FALSE(verify_ed25519(Ed25519Key::generate().public_bytes(), "hello", signature));
  signature[5] = static_cast<char>(signature[5] ^ 1);
  CHECK_FALSE(verify_ed25519(key.public_bytes(), "hello", signature));
  CHECK_FALSE(verify_ed25519(key.public_bytes(), "hello", "short"));
  CHECK_THROWS_AS(Ed25519Key::from_pem("nothing"), Error);
}

TEST_CASE("the second test of RFC 8032, 7.1 verifies") {
  auto key = *unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  auto signature = *unhex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  CHECK(verify_ed25519(key, "\x72", signature));
  CHECK(ed25519_public_pem(key).starts_with("-----BEGIN PUBLIC KEY-----"));
}
