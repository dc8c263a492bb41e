// SPDX-License-Identifier: Apache-2.0
#include "cloud/issuer.hpp"

#include "base/error.hpp"
#include "net/http_client.hpp"
#include "os/file.hpp"

namespace slipway::cloud {
namespace {

constexpr std::string_view kGitHub = "token.actions.githubusercontent.com";

std::optional<Json> fetch(net::HttpClient& client, const std::string& url, Deadline deadline) {
  net::HttpRequest request;
  request.url = url;
  auto response = client.request(request, {}, deadline);
  if (!response.ok()) return std::nullopt;
  return formats::parse_json(response.body, url);
}

}  // namespace

std::optional<Json> Issuer::local_keys() const {
  auto text = os::read_file_if_exists(state_ / "oidc" / "jwks.json");
  if (!text) return std::nullopt;
  return formats::parse_json(*text, "oidc/jwks.json");
}

std::optional<Json> Issuer::key_set(const std::string& issuer) const {
  auto name = std::string_view(issuer).substr(issuer.find("://") + 3);
  if (name == kGitHub || (name.starts_with(kGitHub) && name[kGitHub.size()] == '/'))
    return local_keys();
  try {
    net::HttpClient client;
    auto deadline = Deadline::in(std::chrono::seconds(5));
    auto discovery = fetch(client, issuer + "/.well-known/openid-configuration", deadline);
    if (!discovery) return std::nullopt;
    auto keys_url = discovery->get_string("jwks_uri");
    if (!keys_url.starts_with("https://")) return std::nullopt;
    return fetch(client, keys_url, deadline);
  } catch (const Error&) {
    return std::nullopt;  // an issuer out of reach is an answer: InvalidIdentityToken
  }
}

bool Issuer::serves(std::string_view host, std::string_view path) {
  return host.substr(0, host.find(':')) == kGitHub &&
         path.find("/.well-known/") != std::string_view::npos;
}

net::HttpResponse Issuer::handle(std::string_view path) const {
  auto well_known = path.find("/.well-known/");
  auto issuer = "https://" + std::string(kGitHub) + std::string(path.substr(0, well_known));
  auto document = path.substr(well_known);
  if (document == "/.well-known/openid-configuration") {
    Json discovery =
        Json::object({{"issuer", issuer},
                      {"jwks_uri", issuer + "/.well-known/jwks"},
                      {"subject_types_supported", Json::array({"public", "pairwise"})},
                      {"response_types_supported", Json::array({"id_token"})},
                      {"id_token_signing_alg_values_supported", Json::array({"RS256"})},
                      {"scopes_supported", Json::array({"openid"})}});
    return net::text_response(200, discovery.dump(), "application/json");
  }
  if (document == "/.well-known/jwks") {
    auto keys = local_keys();
    return net::text_response(200, keys ? keys->dump() : R"({"keys":[]})", "application/json");
  }
  return net::text_response(404, "not found\n");
}

}  // namespace slipway::cloud
