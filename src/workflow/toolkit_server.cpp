// SPDX-License-Identifier: Apache-2.0
#include "workflow/toolkit_server.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

constexpr std::string_view kOidc = "/oidc/token";
constexpr std::string_view kTwirp = "/twirp/github.actions.results.api.v1.";
constexpr std::string_view kArtifacts = "ArtifactService/";
constexpr std::string_view kCaches = "CacheService/";
constexpr std::string_view kCachesV1 = "/_apis/artifactcache/";

net::HttpResponse json_response(int status, const Json& body) {
  if (body.is_null()) return {.status = status, .headers = {}, .body = {}};
  return net::text_response(status, body.dump(), "application/json; charset=utf-8");
}

std::string bearer_of(const net::ServerRequest& request) {
  auto header = request.headers.get("Authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (!to_lower(header).starts_with(kBearer)) return "";
  return std::string(trim(std::string_view(header).substr(kBearer.size())));
}

Json body_of(const net::ServerRequest& request) {
  auto text = request.read_body(1U << 20);
  return text.empty() ? Json::object() : formats::parse_json(text, "request");
}

// Clients read their ids out of the token, so it has the form of a JWT; that it is ours is known by the whole text.
std::string runtime_token(const ToolkitJob& job) {
  constexpr int kRead = 1;
  constexpr int kReadAndWrite = 3;
  Json scopes = Json::array();  // which branches' caches it may touch
  for (const auto& ref : job.scope.read) {
    scopes.push_back(Json::object(
        {{"Scope", ref}, {"Permission", ref == job.scope.write ? kReadAndWrite : kRead}}));
  }
  auto claims = Json::object(
      {{"iss", "slipway"},
       {"sub", job.repository},
       {"scp", fmt::format("Actions.Results:{0}:{1} Actions.Artifacts:{0}", job.run_id, job.job)},
       {"ac", scopes.dump()},
       {"orchid", job.run_id + "." + job.job}});
  return base64url(R"({"typ":"JWT","alg":"HS256"})") + "." + base64url(claims.dump()) + "." +
         base64url(random_bytes(32));
}

net::Listener listener_on(const std::string& address) {
  net::Listener listener;
  listener.socket = net::listen_tcp(address);
  return listener;
}

}  // namespace

ToolkitServer::ToolkitServer(const std::string& address, const OidcIssuer& issuer,
                             const Places& places, Log& log)
    : ToolkitServer(listener_on(address), issuer, places, log) {}

ToolkitServer::ToolkitServer(net::Listener listener, const OidcIssuer& issuer, const Places& places,
                             Log& log)
    : issuer_(issuer),
      base_("http://" + net::local_address(listener.socket)),
      blobs_(base_),
      caches_(places.caches, blobs_),
      artifacts_(places.runs, blobs_) {
  std::vector<net::Listener> listeners;
  listeners.push_back(std::move(listener));
  server_ = std::make_unique<net::HttpServer>(
      std::move(listeners),
      [this](net::ServerRequest& request, net::ResponseWriter& response) {
        answer(request, response);
      },
      log);
}

ToolkitServer::~ToolkitServer() = default;

ToolkitServer::Grant ToolkitServer::admit(const ToolkitJob& job,
                                          const std::optional<Json>& claims) {
  Grant grant{.url = base_ + std::string(kOidc) + "?api-version=2.0",
              .token = {},
              .service_url = base_ + "/",
              .runtime_token = runtime_token(job)};
  jobs_.with([&](auto& jobs) { jobs[grant.runtime_token] = job; });
  if (claims) {
    grant.token = "slipway_" + base64url(random_bytes(32));
    claims_.with([&](auto& all) { all[grant.token] = *claims; });
  }
  return grant;
}

void ToolkitServer::dismiss(const Grant& grant) {
  claims_.with([&](auto& all) { all.erase(grant.token); });
  jobs_.with([&](auto& jobs) { jobs.erase(grant.runtime_token); });
}

std::string ToolkitServer::id_token(const Grant& grant, const std::string& audience) const {
  auto claims = claims_.read([&](const auto& all) -> std::optional<Json> {
    auto found = all.find(grant.token);
    if (grant.token.empty() || found == all.end()) return std::nullopt;
    return found->second;
  });
  if (!claims) fail(Fault::denied, "the job's token is not valid (any more)");
  return issuer_.sign(*claims, audience, formats::now());
}

void ToolkitServer::run(const std::stop_token& stop) { server_->run(stop); }

void ToolkitServer::answer(net::ServerRequest& request, net::ResponseWriter& response) {
  if (request.path == kOidc) return answer_oidc(request, response);
  if (request.path.starts_with(BlobServer::kBlobPath)) return blobs_.answer(request, response);
  bool is_twirp = request.path.starts_with(kTwirp);
  if (!is_twirp && !request.path.starts_with(kCachesV1)) {
    return response.send(json_response(404, Json::object({{"message", "not found"}})));
  }
  auto job = jobs_.read([&](const auto& jobs) -> std::optional<ToolkitJob> {
    auto found = jobs.find(bearer_of(request));
    if (found == jobs.end()) return std::nullopt;
    return found->second;
  });
  if (!job) {
    auto message = "the job's token is not valid (any more)";
    return response.send(json_response(
        401, Json::object({{"code", "unauthenticated"}, {"msg", message}, {"message", message}})));
  }
  auto answer = is_twirp ? answer_twirp(*job, request) : answer_v1(*job, request);
  response.send(json_response(answer.status, answer.body));
}

void ToolkitServer::answer_oidc(net::ServerRequest& request, net::ResponseWriter& response) const {
  Grant grant;
  grant.token = bearer_of(request);
  try {
    auto token = id_token(grant, net::query_value(request.query, "audience").value_or(""));
    response.send(json_response(200, Json::object({{"value", token}})));
  } catch (const Error& error) {
    if (error.fault() != Fault::denied) throw;
    response.send(json_response(401, Json::object({{"message", error.what()}})));
  }
}

ToolkitAnswer ToolkitServer::answer_twirp(const ToolkitJob& job, net::ServerRequest& request) {
  std::string_view method(request.path);
  method.remove_prefix(kTwirp.size());
  if (request.method != "POST") return twirp_error("bad_route", "only POST is known here");
  if (method.starts_with(kArtifacts))
    return artifacts_.call(job, method.substr(kArtifacts.size()), body_of(request));
  if (method.starts_with(kCaches))
    return caches_.call(job, method.substr(kCaches.size()), body_of(request));
  return twirp_error("bad_route", "no such service");
}

ToolkitAnswer ToolkitServer::answer_v1(const ToolkitJob& job, net::ServerRequest& request) {
  auto resource = request.path.substr(kCachesV1.size());
  if (request.method == "GET" && resource == "cache") {
    return caches_.look_up(job, net::query_value(request.query, "keys").value_or(""),
                           net::query_value(request.query, "version").value_or(""));
  }
  if (request.method == "POST" && resource == "caches")
    return caches_.reserve(job, body_of(request));
  constexpr std::string_view kOne = "caches/";
  if (resource.starts_with(kOne)) {
    auto id = resource.substr(kOne.size());
    if (request.method == "PATCH")
      return caches_.write(id, request.headers.get("Content-Range"), *request.body);
    if (request.method == "POST") return caches_.commit(job, id, body_of(request));
  }
  return {.status = 404, .body = Json::object({{"message", "not found"}})};
}

}  // namespace slipway::workflow
