// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/web_identity.hpp"

#include <doctest/doctest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "base/text.hpp"
#include "cloud/sts/token.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::cloud;
using cloud::sts::decide;

namespace {

// The tests' own keys and signing, on OpenSSL directly: nothing is shared with the code under test.
struct Key {
  std::shared_ptr<EVP_PKEY> key;
  std::string curve;  // "P-384" …, empty for RSA
};

Key make_key(const std::string& curve) {
  EVP_PKEY* made = curve.empty() ? EVP_RSA_gen(2048) : EVP_EC_gen(curve.c_str());
  REQUIRE(made != nullptr);
  return {std::shared_ptr<EVP_PKEY>(made, EVP_PKEY_free), curve};
}

std::string number(EVP_PKEY* key, const char* name, int size = 0) {
  BIGNUM* value = nullptr;
  REQUIRE(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  std::string bytes(static_cast<std::size_t>(size > 0 ? size : BN_num_bytes(value)), '\0');
  BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()),
               static_cast<int>(bytes.size()));
  BN_free(value);
  return bytes;
}

int half_of(const std::string& curve) { return curve == "P-256" ? 32 : curve == "P-384" ? 48 : 66; }

Json public_jwk(const Key& key, const std::string& kid) {
  if (key.curve.empty()) {
    return Json::object({{"kty", "RSA"},
                         {"kid", kid},
                         {"use", "sig"},
                         {"alg", "RS256"},
                         {"n", base64url(number(key.key.get(), OSSL_PKEY_PARAM_RSA_N))},
                         {"e", base64url(number(key.key.get(), OSSL_PKEY_PARAM_RSA_E))}});
  }
  return Json::object(
      {{"kty", "EC"},
       {"kid", kid},
       {"crv", key.curve},
       {"x", base64url(number(key.key.get(), OSSL_PKEY_PARAM_EC_PUB_X, half_of(key.curve)))},
       {"y", base64url(number(key.key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, half_of(key.curve)))}});
}

std::string sign(const Key& key, const std::string& algorithm, const std::string& text) {
  const EVP_MD* digest = algorithm.ends_with("384")   ? EVP_sha384()
                         : algorithm.ends_with("512") ? EVP_sha512()
                                                      : EVP_sha256();
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  REQUIRE(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.key.get()) == 1);
  REQUIRE(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string signature(size, '\0');
  REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                         bytes, text.size()) == 1);
  signature.resize(size);
  if (key.curve.empty()) return signature;
  const auto* der = reinterpret_cast<const unsigned char*>(signature.data());
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parsed(
      d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(signature.size())), ECDSA_SIG_free);
  std::string raw(static_cast<std::size_t>(half_of(key.curve)) * 2, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out, half_of(key.curve));
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), out + half_of(key.curve), half_of(key.curve));
  return raw;
}

std::string public_pem(const Key& key) {
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), key.key.get());
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string hmac(const std::string& secret, const std::string& text) {
  std::string out(32, '\0');
  unsigned size = 32;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

// "now+300" and "now-5" as epoch seconds.
Json at_time(const Json& value, std::int64_t now) {
  if (!value.is_string() || !value.as_string().starts_with("now")) return value;
  auto rest = value.as_string().substr(3);
  if (rest.empty()) return now;
  auto offset = to_integer(rest.substr(1));
  return offset ? Json(rest[0] == '-' ? now - *offset : now + *offset) : value;
}

class Cases {
 public:
  Cases() {
    for (const auto* name : {"k1", "k2", "other"}) keys_.emplace(name, make_key(""));
  }

  const Key& key(const Json& entry, const std::string& name) {
    const auto* kinds = entry.find("keys_kind");
    std::string curve = kinds != nullptr ? kinds->get_string(name) : "";
    auto slot = name + curve;
    if (auto found = keys_.find(slot); found != keys_.end()) return found->second;
    return keys_.emplace(slot, make_key(curve.starts_with("P-") ? curve : "")).first->second;
  }

  std::string token(const Json& entry, std::int64_t now) {
    const auto& spec = entry.at("token");
    Json claims = spec.at("claims");
    for (auto& [name, value] : claims.as_object()) value = at_time(value, now);
    auto head = base64url(spec.at("header").dump());
    auto mangle = spec.get_string("mangle");
    auto payload = base64url(claims.dump());
    if (mangle == "payload-json-array") payload = base64url("[1,2]");
    if (mangle == "payload-not-json") payload = base64url("no json");
    if (mangle == "header-not-json") head = base64url("no json");
    auto text = head + "." + payload;
    auto by = spec.get_string("signed_by");
    std::string signature;
    if (by == "hmac-with-public-key") {
      signature = hmac(public_pem(key(entry, "k1")), text);
    } else if (by != "none") {
      auto algorithm = spec.at("header").get_string("alg");
      bool fits =
          key(entry, by).curve.empty() ? algorithm.starts_with("RS") : algorithm.starts_with("ES");
      signature = sign(key(entry, by), fits ? algorithm : "RS256", text);
    }
    auto whole = text + "." + base64url(signature);
    if (mangle == "two-segments") return text;
    if (mangle == "four-segments") return whole + ".x";
    if (mangle == "signature-not-base64") return text + ".***";
    if (mangle == "signature-flipped") {
      signature[10] = static_cast<char>(signature[10] ^ 1);
      return text + "." + base64url(signature);
    }
    if (mangle == "header-tampered") {
      Json changed = spec.at("header");
      changed["x"] = "y";
      return base64url(changed.dump()) + "." + payload + "." + base64url(signature);
    }
    if (mangle == "payload-tampered") {
      claims["sub"] = "repo:evil/x:ref:refs/heads/main";
      return head + "." + base64url(claims.dump()) + "." + base64url(signature);
    }
    if (mangle.starts_with("replace:")) {
      auto rest = mangle.substr(8);
      if (auto star = rest.find('*'); star == 1)
        return std::string(static_cast<std::size_t>(*to_integer(rest.substr(2))), rest[0]);
      return rest;
    }
    return whole;
  }

  std::variant<sts::Granted, sts::Refused> run(const Json& entry) {
    auto now = formats::now();
    auto seconds = static_cast<std::int64_t>(formats::epoch_seconds(now));
    auto account = entry.get_string("account");
    const auto& role = entry.at("role");
    auto role_arn = "arn:aws:iam::" + account + ":role" + role.get_string("Path", "/") +
                    role.get_string("RoleName");
    const auto& asked = entry.at("request");
    sts::WebIdentityRequest request;
    request.role_arn = asked.get_string("RoleArn");
    request.session_name = asked.get_string("RoleSessionName");
    request.token = token(entry, seconds);
    if (asked.contains("DurationSeconds"))
      request.duration_seconds = asked.get_int("DurationSeconds");
    request.policy = asked.get_string("Policy");
    sts::WebIdentityWorld world;
    world.account = account;
    world.now = now;
    world.provider = [&](const std::string& issuer) -> std::optional<sts::OidcProvider> {
      const auto* provider = entry.find("provider");
      if (provider == nullptr || provider->is_null() || provider->get_string("url") != issuer)
        return std::nullopt;
      sts::OidcProvider found{
          .arn = "arn:aws:iam::" + account + ":oidc-provider/" + issuer.substr(8),
          .url = issuer,
          .client_ids = {}};
      for (const auto& id : provider->get_array("client_ids"))
        found.client_ids.push_back(id.as_string());
      return found;
    };
    world.role = [&](const std::string& arn) -> std::optional<sts::AssumableRole> {
      if (arn != role_arn) return std::nullopt;
      return sts::AssumableRole{
          .arn = role_arn,
          .trust_policy = entry.at("role_trust_policy").dump(),
          .max_session = std::chrono::seconds(role.get_int("MaxSessionDuration", 3600))};
    };
    world.key_set = [&](const std::string&) -> std::optional<Json> {
      Json set = Json::array({});
      for (const auto& name : entry.at("provider").get_array("keys"))
        set.push_back(public_jwk(key(entry, name.as_string()), name.as_string()));
      return Json::object({{"keys", set}});
    };
    return decide(request, world);
  }

 private:
  std::map<std::string, Key> keys_;
};

std::filesystem::path shared_cases() {
  const char* given = std::getenv("SLIPWAY_CASES");
  return given != nullptr ? std::filesystem::path(given) : std::filesystem::path("../shared/cases");
}

}  // namespace

TEST_CASE("every case of AssumeRoleWithWebIdentity is decided as AWS documents it") {
  auto text = os::read_file_if_exists(shared_cases() / "aws/sts_web_identity.json");
  if (!text) {
    MESSAGE("skipped: shared/cases is not here");
    return;
  }
  Cases cases;
  int right = 0, all = 0;
  auto document = formats::parse_json(*text);
  for (const auto& entry : document.at("cases").as_array()) {
    ++all;
    auto outcome = cases.run(entry);
    const auto& expected = entry.at("expect");
    auto id = entry.get_string("id");
    if (expected.get_bool("allowed")) {
      const auto* granted = std::get_if<sts::Granted>(&outcome);
      CHECK_MESSAGE(granted != nullptr, id, ": ",
                    granted != nullptr ? "" : std::get<sts::Refused>(outcome).refusal.what(), " / ",
                    granted != nullptr ? "" : std::get<sts::Refused>(outcome).explanation);
      if (granted == nullptr) continue;
      if (expected.contains("session_seconds"))
        CHECK_MESSAGE(granted->duration.count() == expected.get_int("session_seconds"), id);
      ++right;
      continue;
    }
    const auto* refused = std::get_if<sts::Refused>(&outcome);
    CHECK_MESSAGE(refused != nullptr, id, ": was allowed");
    if (refused == nullptr) continue;
    bool fits =
        expected.contains("code") ? refused->refusal.code() == expected.get_string("code") : false;
    for (const auto& code : expected.get_array("code_any_of"))
      fits = fits || refused->refusal.code() == code.as_string();
    CHECK_MESSAGE(fits, id, ": ", refused->refusal.what());
    right += fits ? 1 : 0;
  }
  MESSAGE(right, " of ", all, " cases");
  CHECK(right == all);
}

TEST_CASE("a refused token's explanation names the condition, the answer to the caller does not") {
  Cases cases;
  auto entry = formats::parse_json(R"({"account":"111122223333","role":{"RoleName":"ship"},
    "provider":{"url":"https://token.actions.githubusercontent.com","client_ids":["sts.amazonaws.com"],"keys":["k1"]},
    "role_trust_policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
      "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/shop:*"}}}]},
    "token":{"header":{"alg":"RS256","kid":"k1"},"signed_by":"k1","claims":{"iss":"https://token.actions.githubusercontent.com","aud":"sts.amazonaws.com","sub":"repo:acme/other:x","exp":"now+60"}},
    "request":{"RoleArn":"arn:aws:iam::111122223333:role/ship","RoleSessionName":"gha"}})");
  auto outcome = cases.run(entry);
  REQUIRE(std::holds_alternative<sts::Refused>(outcome));
  const auto& refused = std::get<sts::Refused>(outcome);
  CHECK(refused.refusal.message() == "Not authorized to perform sts:AssumeRoleWithWebIdentity");
  CHECK(refused.explanation.find("repo:acme/shop:*") != std::string::npos);
  CHECK(refused.explanation.find("repo:acme/other:x") != std::string::npos);
}
