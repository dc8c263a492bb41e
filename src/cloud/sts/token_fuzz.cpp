// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/token.hpp"
#include "cloud/sts/web_identity.hpp"

// Identity tokens: never a crash, and nothing without the issuer's private key is granted.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::cloud;
  sts::WebIdentityRequest request;
  request.role_arn = "arn:aws:iam::111122223333:role/ship";
  request.session_name = "fuzz";
  request.token.assign(reinterpret_cast<const char*>(data), size);
  sts::WebIdentityWorld world;
  world.account = "111122223333";
  world.now = slipway::formats::now();
  world.provider = [](const std::string& issuer) {
    return sts::OidcProvider{.arn = "arn:p", .url = issuer, .client_ids = {"sts.amazonaws.com"}};
  };
  world.role = [](const std::string& arn) {
    return sts::AssumableRole{
        .arn = arn,
        .trust_policy =
            R"({"Statement":{"Effect":"Allow","Principal":{"Federated":"arn:p"},"Action":"sts:*"}})",
        .max_session = std::chrono::hours(1)};
  };
  world.key_set = [](const std::string&) {
    // A P-256 key whose private half was thrown away.
    return Json::object(
        {{"keys",
          Json::array({Json::object({{"kty", "EC"},
                                     {"crv", "P-256"},
                                     {"kid", "k"},
                                     {"x", "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"},
                                     {"y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}})})}});
  };
  if (std::holds_alternative<sts::Granted>(sts::decide(request, world))) __builtin_trap();
  return 0;
}
