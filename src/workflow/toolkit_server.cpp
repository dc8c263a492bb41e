// SPDX-License-Identifier: Apache-2.0
#include "workflow/toolkit_server.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace slipway::workflow {
namespace {

constexpr std::string_view kPath = "/oidc/token";

net::HttpResponse json_response(int status, const formats::Json& body) {
  return net::text_response(status, body.dump(), "application/json; charset=utf-8");
}

}  // namespace

ToolkitServer::ToolkitServer(const std::string& address, const OidcIssuer& issuer, Log& log) : issuer_(issuer) {
  std::vector<net::Listener> listeners(1);
  listeners[0].socket = net::listen_tcp(address);
  base_ = "http://" + net::local_address(listeners[0].socket);
  server_ = std::make_unique<net::HttpServer>(
      std::move(listeners), [this](net::ServerRequest& request, net::ResponseWriter& response) { answer(request, response); }, log);
}

ToolkitServer::~ToolkitServer() = default;

ToolkitServer::Grant ToolkitServer::admit(const formats::Json& claims) {
  Grant grant{.url = base_ + std::string(kPath) + "?api-version=2.0", .token = "slipway_" + base64url(random_bytes(32))};
  jobs_.with([&](auto& jobs) { jobs[grant.token] = claims; });
  return grant;
}

void ToolkitServer::dismiss(const Grant& grant) {
  jobs_.with([&](auto& jobs) { jobs.erase(grant.token); });
}

std::string ToolkitServer::id_token(const Grant& grant, const std::string& audience) const {
  auto claims = jobs_.read([&](const auto& jobs) -> std::optional<formats::Json> {
    auto found = jobs.find(grant.token);
    if (found == jobs.end()) return std::nullopt;
    return found->second;
  });
  if (!claims) fail(Fault::denied, "the job's token is not valid (any more)");
  return issuer_.sign(*claims, audience, formats::now());
}

void ToolkitServer::run(const std::stop_token& stop) { server_->run(stop); }

void ToolkitServer::answer(net::ServerRequest& request, net::ResponseWriter& response) {
  if (request.path != kPath) return response.send(json_response(404, formats::Json::object({{"message", "not found"}})));
  auto header = request.headers.get("Authorization");
  constexpr std::string_view kBearer = "bearer ";
  Grant grant;
  if (to_lower(header).starts_with(kBearer)) grant.token = trim(std::string_view(header).substr(kBearer.size()));
  std::string audience;
  for (const auto& [name, value] : net::parse_query(request.query)) {
    if (name == "audience") audience = value;
  }
  try {
    response.send(json_response(200, formats::Json::object({{"value", id_token(grant, audience)}})));
  } catch (const Error& error) {
    if (error.fault() != Fault::denied) throw;
    response.send(json_response(401, formats::Json::object({{"message", error.what()}})));
  }
}

}  // namespace slipway::workflow
