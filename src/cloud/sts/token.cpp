// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/token.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::cloud::sts {
namespace {

using formats::Json;

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(OSSL_PARAM_BLD* p) const { OSSL_PARAM_BLD_free(p); }
  void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
  void operator()(BIGNUM* p) const { BN_free(p); }
  void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

struct Algorithm {
  std::string_view name;
  const EVP_MD* (*digest)();
  std::string_view curve;  // empty: RSA
  std::string_view group;  // OpenSSL's name of the curve
  std::size_t half = 0;    // bytes of r and of s
};
constexpr std::array kAlgorithms = {
    Algorithm{"RS256", EVP_sha256, "", ""},
    Algorithm{"RS384", EVP_sha384, "", ""},
    Algorithm{"RS512", EVP_sha512, "", ""},
    Algorithm{"ES256", EVP_sha256, "P-256", "prime256v1", 32},
    Algorithm{"ES384", EVP_sha384, "P-384", "secp384r1", 48},
    Algorithm{"ES512", EVP_sha512, "P-521", "secp521r1", 66},
};

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> member_bytes(const Json& jwk, std::string_view name) {
  const auto* value = jwk.find(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return unbase64url(value->as_string());
}

Owned<EVP_PKEY> from_parameters(const char* kind, OSSL_PARAM_BLD* builder) {
  Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
  Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) <= 0) {
    ERR_clear_error();
    return nullptr;
  }
  return Owned<EVP_PKEY>(key);
}

Owned<EVP_PKEY> rsa_key(const Json& jwk) {
  auto n = member_bytes(jwk, "n");
  auto e = member_bytes(jwk, "e");
  // Below 2048 bits nothing is believed; above 8192 a verification costs too much.
  if (!n || !e || n->size() < 255 || n->size() > 1025 || e->size() > 8) return nullptr;
  Owned<BIGNUM> modulus(BN_bin2bn(bytes_of(*n), static_cast<int>(n->size()), nullptr));
  Owned<BIGNUM> exponent(BN_bin2bn(bytes_of(*e), static_cast<int>(e->size()), nullptr));
  Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!builder || BN_num_bits(modulus.get()) < 2048 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return from_parameters("RSA", builder.get());
}

Owned<EVP_PKEY> ec_key(const Json& jwk, const Algorithm& algorithm) {
  auto x = member_bytes(jwk, "x");
  auto y = member_bytes(jwk, "y");
  if (!x || !y || x->size() != algorithm.half || y->size() != algorithm.half) return nullptr;
  std::string point = "\x04" + *x + *y;
  std::string group(algorithm.group);
  Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.c_str(),
                                      0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return from_parameters("EC", builder.get());
}

// A key that may be used with the algorithm, or nothing.
Owned<EVP_PKEY> key_for(const Json& jwk, const Algorithm& algorithm) {
  auto text = [&](std::string_view name) {
    const auto* value = jwk.find(name);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  if (auto alg = text("alg"); !alg.empty() && alg != algorithm.name && algorithm.curve.size() > 0)
    return nullptr;
  if (auto use = text("use"); !use.empty() && use != "sig") return nullptr;
  if (algorithm.curve.empty()) return text("kty") == "RSA" ? rsa_key(jwk) : nullptr;
  return text("kty") == "EC" && text("crv") == algorithm.curve ? ec_key(jwk, algorithm) : nullptr;
}

// JWS has r and s side by side (RFC 7518 3.4), OpenSSL wants them in DER.
std::optional<std::string> der_signature(const std::string& raw, std::size_t half) {
  if (raw.size() != 2 * half) return std::nullopt;
  Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  Owned<BIGNUM> r(BN_bin2bn(bytes_of(raw), static_cast<int>(half), nullptr));
  Owned<BIGNUM> s(BN_bin2bn(bytes_of(raw) + half, static_cast<int>(half), nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1)
    return std::nullopt;
  (void)r.release();  // owned by the signature now
  (void)s.release();
  int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return std::nullopt;
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

bool holds(EVP_PKEY* key, const Algorithm& algorithm, const IdentityToken& token) {
  auto signature = algorithm.curve.empty() ? std::optional(token.signature)
                                           : der_signature(token.signature, algorithm.half);
  if (!signature) return false;
  Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  bool verified =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, algorithm.digest(), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), bytes_of(*signature), signature->size(),
                       bytes_of(token.signed_part), token.signed_part.size()) == 1;
  ERR_clear_error();
  return verified;
}

std::optional<Json> read_segment(std::string_view segment) {
  auto text = unbase64url(segment);
  if (!text) return std::nullopt;
  try {
    auto json = formats::parse_json(*text);
    if (json.is_object()) return json;
  } catch (const Error&) {
    // no JSON: no token
  }
  return std::nullopt;
}

}  // namespace

std::optional<IdentityToken> read_token(std::string_view text) {
  auto first = text.find('.');
  auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  auto header = read_segment(text.substr(0, first));
  auto claims = read_segment(text.substr(first + 1, second - first - 1));
  auto signature = unbase64url(text.substr(second + 1));
  if (!header || !claims || !signature) return std::nullopt;
  return IdentityToken{std::move(*header), std::move(*claims), std::string(text.substr(0, second)),
                       std::move(*signature)};
}

bool verify_signature(const IdentityToken& token, const Json& jwks) {
  const auto* alg = token.header.find("alg");
  const auto* keys = jwks.find("keys");
  if (alg == nullptr || !alg->is_string() || keys == nullptr || !keys->is_array()) return false;
  if (token.header.contains("crit"))
    return false;  // extensions that must be understood (RFC 7515 4.1.11); we know none
  const auto* algorithm =
      std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                   [&](const auto& each) { return each.name == alg->as_string(); });
  if (algorithm == kAlgorithms.end() || token.signature.empty()) return false;
  const auto* kid = token.header.find("kid");
  for (const auto& jwk : keys->as_array()) {
    if (!jwk.is_object()) continue;
    if (kid != nullptr) {
      const auto* name = jwk.find("kid");
      if (name == nullptr || *name != *kid) continue;
    }
    auto key = key_for(jwk, *algorithm);
    if (key && holds(key.get(), *algorithm, token)) return true;
  }
  return false;
}

}  // namespace slipway::cloud::sts
