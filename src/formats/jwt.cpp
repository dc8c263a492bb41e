// SPDX-License-Identifier: Apache-2.0
#include "formats/jwt.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/pkey.hpp"
#include "formats/sha256.hpp"

namespace slipway::formats {
namespace {

template <auto Free>
struct FreedBy {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;

const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1)
    fail(Fault::unavailable, "OpenSSL gives no '{}' of a key", name);
  Number number(raw);
  std::string out(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

/// A public key of n and e (big-endian bytes); nothing when they make none or a weak one.
Pkey public_key(std::string_view n, std::string_view e) {
  constexpr std::size_t kFewest = 256;  // bytes: 2048 bits
  constexpr std::size_t kMost = 1024;
  if (n.size() < kFewest || n.size() > kMost || e.empty() || e.size() > 8) return nullptr;
  Number modulus(BN_bin2bn(octets_of(n), static_cast<int>(n.size()), nullptr));
  Number exponent(BN_bin2bn(octets_of(e), static_cast<int>(e.size()), nullptr));
  std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>> build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>> parameters(
      OSSL_PARAM_BLD_to_param(build.get()));
  PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get());
  return Pkey(key);
}

std::optional<Json> decode_part(std::string_view part) {
  auto text = unbase64url(part);
  if (!text) return std::nullopt;
  try {
    Json value = parse_json(*text);
    if (value.is_object()) return value;
  } catch (const Error&) {
    return std::nullopt;  // the caller says what is wrong with the token
  }
  return std::nullopt;
}

/// The key of the set that the token names, or why there is none.
std::variant<const Json*, std::string> choose_key(const Json& jwks, const Json& header) {
  const Json* keys = jwks.find("keys");
  if (keys == nullptr || !keys->is_array()) return "the key set has no 'keys'";
  const Json* kid = header.find("kid");
  if (kid != nullptr && !kid->is_string()) return "the token's 'kid' is no string";
  const Json* chosen = nullptr;
  for (const Json& key : keys->as_array()) {
    const Json* name = key.find("kid");
    bool is_named = name != nullptr && name->is_string() && kid != nullptr &&
                    name->as_string() == kid->as_string();
    if (kid == nullptr && keys->size() == 1) is_named = true;
    if (is_named && chosen == nullptr) chosen = &key;
  }
  if (chosen != nullptr) return chosen;
  return kid == nullptr ? std::string("the token names no key")
                        : fmt::format("the key set has no key '{}'", kid->as_string());
}

std::string text_member(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

}  // namespace

struct RsaKey::Key {
  Pkey pkey;
};

RsaKey::RsaKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
RsaKey::RsaKey(RsaKey&&) noexcept = default;
RsaKey& RsaKey::operator=(RsaKey&&) noexcept = default;
RsaKey::~RsaKey() = default;

RsaKey RsaKey::generate(int bits) {
  Pkey key(EVP_RSA_gen(static_cast<unsigned>(bits)));
  if (!key) fail(Fault::unavailable, "OpenSSL cannot make an RSA key of {} bits", bits);
  return RsaKey(std::make_unique<Key>(Key{std::move(key)}));
}

RsaKey RsaKey::from_pem(std::string_view pem) {
  auto key = private_key_of(pem, "RSA");
  if (!key) fail(Fault::bad_input, "not an RSA private key in PEM");
  return RsaKey(std::make_unique<Key>(Key{std::move(key)}));
}

std::string RsaKey::private_pem() const { return pem_of(key_->pkey); }

Json RsaKey::public_jwk() const {
  return Json::object({{"kty", "RSA"},
                       {"use", "sig"},
                       {"alg", "RS256"},
                       {"kid", kid()},
                       {"n", base64url(number_of(key_->pkey.get(), OSSL_PKEY_PARAM_RSA_N))},
                       {"e", base64url(number_of(key_->pkey.get(), OSSL_PKEY_PARAM_RSA_E))}});
}

std::string RsaKey::kid() const {
  Json members =
      Json::object({{"e", base64url(number_of(key_->pkey.get(), OSSL_PKEY_PARAM_RSA_E))},
                    {"kty", "RSA"},
                    {"n", base64url(number_of(key_->pkey.get(), OSSL_PKEY_PARAM_RSA_N))}});
  return base64url(sha256(members.dump()));
}

std::string RsaKey::sign(std::string_view bytes) const { return sign_with(key_->pkey, bytes); }

std::string sign_jwt(const RsaKey& key, std::string_view kid, const Json& claims) {
  Json header = Json::object({{"typ", "JWT"}, {"alg", "RS256"}, {"kid", kid}});
  std::string text = base64url(header.dump()) + "." + base64url(claims.dump());
  return text + "." + base64url(key.sign(text));
}

std::optional<Jwt> decode_jwt(std::string_view token) {
  auto parts = split(token, '.');
  if (parts.size() != 3) return std::nullopt;
  auto header = decode_part(parts[0]);
  auto claims = decode_part(parts[1]);
  if (!header || !claims || !unbase64url(parts[2])) return std::nullopt;
  return Jwt{std::move(*header), std::move(*claims)};
}

std::variant<Jwt, JwtRefusal> verify_jwt(std::string_view token, const Json& jwks) {
  using Kind = JwtRefusal::Kind;
  auto decoded = decode_jwt(token);
  if (!decoded) return JwtRefusal{Kind::malformed, "the token is no JWT"};
  if (decoded->header.contains("crit"))
    return JwtRefusal{Kind::malformed, "the token has critical headers that are not understood"};
  std::string algorithm = text_member(decoded->header, "alg");
  if (algorithm != "RS256")
    return JwtRefusal{Kind::unsupported_algorithm,
                      fmt::format("the token's algorithm '{}' is not RS256", algorithm)};
  auto choice = choose_key(jwks, decoded->header);
  if (auto* reason = std::get_if<std::string>(&choice))
    return JwtRefusal{Kind::unknown_key, *reason};
  const Json& jwk = *std::get<const Json*>(choice);
  std::string fits = text_member(jwk, "alg");
  auto n = unbase64url(text_member(jwk, "n"));
  auto e = unbase64url(text_member(jwk, "e"));
  Pkey key = text_member(jwk, "kty") == "RSA" && (fits.empty() || fits == "RS256") && n && e
                 ? public_key(*n, *e)
                 : nullptr;
  ERR_clear_error();
  if (!key)
    return JwtRefusal{Kind::unknown_key,
                      "the key set's key is no RSA key of at least 2048 bits for RS256"};
  auto dot = token.rfind('.');
  if (!verify_with(key, token.substr(0, dot), *unbase64url(token.substr(dot + 1)))) {
    return JwtRefusal{Kind::bad_signature, "the token's signature does not fit"};
  }
  return std::move(*decoded);
}

}  // namespace slipway::formats
