// SPDX-License-Identifier: Apache-2.0
#include "formats/jwt.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"

using namespace slipway;
using namespace slipway::formats;
using Kind = JwtRefusal::Kind;

namespace {

Json jwks_of(const RsaKey& key) {
  return Json::object({{"keys", Json::array({key.public_jwk()})}});
}

Kind refused(std::string_view token, const Json& jwks) {
  auto result = verify_jwt(token, jwks);
  auto* refusal = std::get_if<JwtRefusal>(&result);
  REQUIRE(refusal != nullptr);
  CHECK_FALSE(refusal->reason.empty());
  return refusal->kind;
}

std::string token_with(const RsaKey& key, const Json& header, const Json& claims) {
  std::string text = base64url(header.dump()) + "." + base64url(claims.dump());
  return text + "." + base64url(key.sign(text));
}

}  // namespace

TEST_CASE("a signed token verifies with the issuer's key set and with no other") {
  RsaKey key = RsaKey::generate();
  RsaKey other = RsaKey::generate();
  Json claims = Json::object({{"sub", "repo:o/r:ref:refs/heads/main"}, {"exp", 2'000'000'000}});
  std::string token = sign_jwt(key, key.kid(), claims);
  auto result = verify_jwt(token, jwks_of(key));
  REQUIRE(std::holds_alternative<Jwt>(result));
  CHECK(std::get<Jwt>(result).claims == claims);
  CHECK(std::get<Jwt>(result).header.at("kid").as_string() == key.kid());
  CHECK(decode_jwt(token)->claims == claims);
  CHECK(refused(token, jwks_of(other)) == Kind::unknown_key);
  Json impostor = other.public_jwk();
  impostor["kid"] = key.kid();
  CHECK(refused(token, Json::object({{"keys", Json::array({impostor})}})) == Kind::bad_signature);
  CHECK(refused(token, Json::object()) == Kind::unknown_key);
}

TEST_CASE("a key survives its PEM, and its thumbprint is its name") {
  RsaKey key = RsaKey::generate();
  RsaKey loaded = RsaKey::from_pem(key.private_pem());
  CHECK(loaded.public_jwk() == key.public_jwk());
  CHECK(key.kid().size() == 43);
  CHECK_THROWS_AS(RsaKey::from_pem("no key"), Error);
}

TEST_CASE("tampered and malformed tokens are refused") {
  RsaKey key = RsaKey::generate();
  Json jwks = jwks_of(key);
  std::string token = sign_jwt(key, key.kid(), Json::object({{"aud", "sts"}}));
  auto parts = split(token, '.');
  std::string forged = parts[0] + "." + base64url(R"({"aud":"me"})") + "." + parts[2];
  CHECK(refused(forged, jwks) == Kind::bad_signature);
  CHECK(refused(parts[0] + "." + parts[1] + ".", jwks) == Kind::bad_signature);
  CHECK(refused(parts[0] + "." + parts[1], jwks) == Kind::malformed);
  CHECK(refused(token + ".x", jwks) == Kind::malformed);
  CHECK(refused(token + "=", jwks) == Kind::malformed);
  CHECK(refused("", jwks) == Kind::malformed);
  CHECK(refused("a.b.c", jwks) == Kind::malformed);
  CHECK(refused(base64url("[]") + "." + parts[1] + "." + parts[2], jwks) == Kind::malformed);
}

TEST_CASE("no algorithm but RS256 is taken, whatever the token says") {
  RsaKey key = RsaKey::generate();
  Json jwks = jwks_of(key);
  Json claims = Json::object({{"a", 1}});
  std::string none = base64url(R"({"alg":"none"})") + "." + base64url("{}") + ".";
  CHECK(refused(none, jwks) == Kind::unsupported_algorithm);
  CHECK(refused(token_with(key, Json::object({{"alg", "RS512"}, {"kid", key.kid()}}), claims),
                jwks) == Kind::unsupported_algorithm);
  std::string text =
      base64url(R"({"alg":"HS256","kid":")" + key.kid() + "\"}") + "." + base64url("{}");
  std::string mac = base64url(hmac_sha256(key.public_jwk().at("n").as_string(), text));
  CHECK(refused(text + "." + mac, jwks) == Kind::unsupported_algorithm);
  Json critical =
      Json::object({{"alg", "RS256"}, {"kid", key.kid()}, {"crit", Json::array({"exp"})}});
  CHECK(refused(token_with(key, critical, claims), jwks) == Kind::malformed);
}

TEST_CASE("a token without a key's name needs a set of one key; short keys are refused") {
  RsaKey key = RsaKey::generate();
  std::string token = token_with(key, Json::object({{"alg", "RS256"}}), Json::object());
  CHECK(std::holds_alternative<Jwt>(verify_jwt(token, jwks_of(key))));
  Json two =
      Json::object({{"keys", Json::array({key.public_jwk(), RsaKey::generate().public_jwk()})}});
  CHECK(refused(token, two) == Kind::unknown_key);
  RsaKey weak = RsaKey::generate(1024);
  CHECK(refused(sign_jwt(weak, weak.kid(), Json::object()), jwks_of(weak)) == Kind::unknown_key);
  Json wrong_use = key.public_jwk();
  wrong_use["alg"] = "RS512";
  CHECK(refused(token, Json::object({{"keys", Json::array({wrong_use})}})) == Kind::unknown_key);
}

TEST_CASE("the openssl tool accepts our signature") {
  std::string folder = "/tmp/slipway-jwt-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  RsaKey key = RsaKey::generate();
  std::ofstream(folder + "/key.pem") << key.private_pem();
  std::ofstream(folder + "/text") << "signed text";
  std::ofstream(folder + "/sig", std::ios::binary) << key.sign("signed text");
  std::string script = "cd " + folder +
                       " && openssl rsa -in key.pem -pubout -out pub.pem 2>/dev/null && "
                       "openssl dgst -sha256 -verify pub.pem -signature sig text >/dev/null";
  CHECK(std::system(script.c_str()) == 0);
  std::filesystem::remove_all(folder);
}
