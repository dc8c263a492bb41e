// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_server.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "net/url.hpp"
#include "oci/manifest_json.hpp"
#include "oci/reference.hpp"
#include "oci/registry_exchange.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
using net::HttpResponse;

constexpr std::size_t kMostPage = 100'000;  // names in one answer, whatever was asked for

// What no specification has a code for, and what a mirrored registry refuses us.
HttpResponse failure(const Error& error) {
  switch (error.fault()) {
    case Fault::bad_input:
      return registry_error(400, "UNKNOWN", error.what());
    case Fault::denied:
      return denied(error.what());
    case Fault::not_found:
      return registry_error(404, "UNKNOWN", error.what());
    case Fault::unavailable:
      return registry_error(503, "UNKNOWN", error.what());
    default:
      return registry_error(500, "UNKNOWN", error.what());
  }
}

}  // namespace

std::string RegistryPolicy::immutable_message(std::string_view repository, std::string_view tag) {
  return fmt::format(
      "the tag '{}' already exists in '{}' and cannot be overwritten because the repository is "
      "immutable",
      tag, repository);
}

std::string RegistryPolicy::unknown_repository_message(std::string_view repository) {
  return fmt::format("repository name not known to registry: {}", repository);
}

HttpResponse registry_response(int status) {
  HttpResponse response;
  response.status = status;
  response.headers.set("Docker-Distribution-API-Version", "registry/2.0");
  return response;
}

HttpResponse registry_error(int status, std::string_view code, std::string_view message,
                            std::string_view detail) {
  Json error = Json::object({{"code", code}, {"message", message}});
  if (!detail.empty()) error["detail"] = detail;
  HttpResponse response = registry_response(status);
  response.headers.set("Content-Type", "application/json");
  response.body = Json::object({{"errors", Json::array({error})}}).dump() + "\n";
  return response;
}

HttpResponse unauthorized(std::string_view challenge, std::string_view message) {
  HttpResponse response = registry_error(401, "UNAUTHORIZED", message);
  response.headers.set("WWW-Authenticate", challenge);
  return response;
}

HttpResponse denied(std::string_view message) { return registry_error(403, "DENIED", message); }

std::optional<BasicCredentials> basic_credentials(const net::ServerRequest& request) {
  std::string header = request.headers.get("Authorization");
  constexpr std::string_view kScheme = "basic ";
  if (header.size() <= kScheme.size() ||
      !equals_ignoring_case(header.substr(0, kScheme.size()), kScheme))
    return std::nullopt;
  auto decoded = unbase64(trim(std::string_view(header).substr(kScheme.size())));
  if (!decoded) return std::nullopt;
  std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return BasicCredentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

struct RegistryServer::State {
  RegistryStore& store;
  RegistryPolicy& policy;
  Log& log;
  RegistryServerOptions options;
};

RegistryServer::RegistryServer(RegistryStore& store, RegistryPolicy& policy, Log& log,
                               RegistryServerOptions options)
    : state_(new State{store, policy, log, options}) {}
RegistryServer::~RegistryServer() = default;

void RegistryServer::handle(net::ServerRequest& request, net::ResponseWriter& response) {
  HttpResponse answer;
  try {
    RegistryExchange(state_->store, state_->policy, state_->options, request, response).run();
    return;
  } catch (const RegistryRefusal& refusal) {
    answer = registry_error(refusal.status(), refusal.code(), refusal.message(), refusal.detail());
  } catch (const RegistryAnswer& whole) {
    answer = whole.response();
  } catch (const Error& error) {
    if (response.has_started()) throw;
    answer = failure(error);
    if (answer.status >= 500)
      state_->log.error("registry: {} {}: {}", request.method, request.path, error.what());
  }
  if (request.method == "HEAD") {
    answer.headers.set("Content-Length", std::to_string(answer.body.size()));
    answer.body.clear();
  }
  state_->log.debug("registry: {} {}: {}", request.method, request.path, answer.status);
  response.send(answer);
}

void RegistryExchange::run() {
  using Kind = RegistryPath::Kind;
  path_ = parse_registry_path(request_.path);
  if (path_.kind == Kind::unknown)
    throw RegistryRefusal(404, "UNSUPPORTED", "no such path in a registry");
  bool is_upload = path_.kind == Kind::upload || path_.kind == Kind::uploads;
  RegistryAction action = path_.kind == Kind::ping      ? RegistryAction::ping
                          : path_.kind == Kind::catalog ? RegistryAction::catalog
                          : is_upload                   ? RegistryAction::push
                          : request_.method == "DELETE" ? RegistryAction::remove
                          : is_reading()                ? RegistryAction::pull
                                                        : RegistryAction::push;
  authorise(action, path_.repository);
  bool has_repository = path_.kind != Kind::ping && path_.kind != Kind::catalog;
  if (has_repository && !is_repository(path_.repository)) {
    throw RegistryRefusal(400, "NAME_INVALID", "invalid repository name",
                          path_.repository.substr(0, 300));
  }
  if (options_.read_only && !is_reading())
    throw RegistryRefusal(405, "UNSUPPORTED", "the registry is read-only");
  switch (path_.kind) {
    case Kind::ping: {
      if (!is_reading()) refuse_method("GET, HEAD");
      HttpResponse pong = registry_response(200);
      pong.headers.set("Content-Type", "application/json");
      pong.body = "{}";
      return response_.send(pong);
    }
    case Kind::catalog:
      return catalog();
    case Kind::tags:
      return tags();
    case Kind::manifest:
      return manifest();
    case Kind::referrers:
      return referrers();
    case Kind::blob:
      return blob();
    case Kind::uploads:
      return begin_upload();
    case Kind::upload:
      return upload();
    case Kind::unknown:
      break;
  }
}

void RegistryExchange::authorise(RegistryAction action, std::string_view repository) {
  if (auto refusal = policy_.authorise(request_, action, repository))
    throw RegistryAnswer(std::move(*refusal));
}

void RegistryExchange::require_repository(const std::string& repository) {
  if (store_.has_repository(repository)) return;
  throw RegistryRefusal(404, "NAME_UNKNOWN", policy_.unknown_repository_message(repository));
}

void RegistryExchange::ensure_repository(const std::string& repository) {
  if (store_.has_repository(repository)) return;
  if (!policy_.creates_on_push(repository)) {
    throw RegistryRefusal(404, "NAME_UNKNOWN", policy_.unknown_repository_message(repository));
  }
  store_.create_repository(repository);
}

void RegistryExchange::require_delete() {
  if (!options_.allows_delete)
    throw RegistryRefusal(405, "UNSUPPORTED",
                          "the operation is unsupported: deletion is switched off");
}

void RegistryExchange::refuse_method(std::string_view allowed) {
  HttpResponse answer = registry_error(405, "UNSUPPORTED", "the operation is unsupported");
  answer.headers.set("Allow", allowed);
  throw RegistryAnswer(std::move(answer));
}

std::optional<std::string> RegistryExchange::query(std::string_view name) const {
  return net::query_value(request_.query, name);
}

bool RegistryExchange::client_has(const Digest& digest) const {
  auto header = request_.headers.find("If-None-Match");
  return header &&
         (trim(*header) == "*" || header->find("\"" + digest.str() + "\"") != std::string::npos);
}

Digest RegistryExchange::digest_argument(std::string_view text) const {
  if (auto digest = Digest::try_parse(text)) return *digest;
  throw RegistryRefusal(400, "DIGEST_INVALID", "provided digest is not a digest known here",
                        std::string(text.substr(0, 200)));
}

std::size_t RegistryExchange::page_size() const {
  auto text = query("n");
  if (!text) return std::min(options_.default_page, kMostPage);
  auto n = to_integer(*text);
  if (!n || *n < 0)
    throw RegistryRefusal(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested",
                          text->substr(0, 50));
  auto size = static_cast<std::size_t>(*n);
  if (size > options_.most_page) {
    throw RegistryRefusal(405, "UNSUPPORTED",
                          fmt::format("Invalid parameter at 'maxResults' failed to satisfy "
                                      "constraint: 'Member must have value less "
                                      "than or equal to {}'",
                                      options_.most_page));
  }
  return std::min(size, kMostPage);
}

void RegistryExchange::send_page(const std::string& path, std::string_view key,
                                 const std::string& repository, std::vector<std::string> names,
                                 std::size_t limit) {
  HttpResponse answer = registry_response(200);
  answer.headers.set("Content-Type", "application/json");
  if (names.size() > limit) {
    names.resize(limit);
    if (limit > 0) {
      answer.headers.set(
          "Link",
          fmt::format("<{}?{}>; rel=\"next\"", path,
                      net::print_query({{"n", std::to_string(limit)}, {"last", names.back()}})));
    }
  }
  Json json = Json::object();
  if (!repository.empty()) json["name"] = repository;
  json[key] = Json::array();
  for (std::string& name : names) json[key].push_back(std::move(name));
  answer.body = json.dump() + "\n";
  response_.send(answer);
}

void RegistryExchange::catalog() {
  if (!is_reading()) refuse_method("GET, HEAD");
  std::size_t limit = page_size();
  send_page("/v2/_catalog", "repositories", "",
            store_.repositories(query("last").value_or(""), limit + 1), limit);
}

void RegistryExchange::tags() {
  if (!is_reading()) refuse_method("GET, HEAD");
  const std::size_t limit = page_size();
  const std::string last = query("last").value_or("");
  auto tags = policy_.known_tags(path_.repository, request_.stop);
  if (tags) {
    tags->erase(tags->begin(), std::upper_bound(tags->begin(), tags->end(), last));
  } else {
    require_repository(path_.repository);
    tags = store_.tags(path_.repository, last, limit + 1);
  }
  send_page("/v2/" + path_.repository + "/tags/list", "tags", path_.repository, std::move(*tags),
            limit);
}

void RegistryExchange::manifest() {
  if (is_reading()) return get_manifest();
  if (request_.method == "PUT") return put_manifest();
  if (request_.method == "DELETE") return delete_manifest();
  refuse_method("GET, HEAD, PUT, DELETE");
}

void RegistryExchange::get_manifest() {
  policy_.wants_manifest(path_.repository, path_.argument, request_.stop);
  auto found = store_.manifest(path_.repository, path_.argument);
  if (!found) {
    require_repository(path_.repository);
    throw RegistryRefusal(404, "MANIFEST_UNKNOWN", "manifest unknown",
                          path_.argument.substr(0, 200));
  }
  bool is_known = client_has(found->digest);
  HttpResponse answer = registry_response(is_known ? 304 : 200);
  answer.headers.set("Docker-Content-Digest", found->digest.str());
  answer.headers.set("ETag", "\"" + found->digest.str() + "\"");
  if (!is_known) {
    answer.headers.set("Content-Type", found->media_type);
    if (request_.method == "HEAD") {
      answer.headers.set("Content-Length", std::to_string(found->bytes->size()));
    } else {
      answer.body = *found->bytes;
      policy_.pulled(path_.repository, found->digest);
    }
  }
  response_.send(answer);
}

void RegistryExchange::check_quota(std::uint64_t bytes) const {
  const std::uint64_t used = store_.bytes();
  const std::uint64_t most = options_.most_total_bytes;
  if (used > most || bytes > most - used)
    throw RegistryRefusal(403, "DENIED", "the registry's quota is used up");
}

// The whole body. throws RegistryRefusal when it is longer than a manifest may be, also when it did not say so before
std::string RegistryExchange::read_manifest() const {
  const std::uint64_t most = options_.most_manifest_bytes;
  std::string bytes;
  if (request_.body_size.value_or(0) <= most) {
    std::vector<char> piece(64u << 10);
    while (std::size_t count = bytes.size() <= most ? request_.body->read(piece) : 0)
      bytes.append(piece.data(), count);
    if (bytes.size() <= most) return bytes;
  }
  throw RegistryRefusal(413, "SIZE_INVALID",
                        fmt::format("a manifest may have at most {} bytes", most));
}

// source OCI distribution-spec, "Pushing Manifests"; tags beside a digest are of its main branch of 2026
void RegistryExchange::put_manifest() {
  ManifestPush push;
  push.repository = path_.repository;
  std::vector<std::string> tags;
  if (path_.argument.find(':') != std::string::npos) {
    push.digest = digest_argument(path_.argument);
    for (auto& [name, value] : net::parse_query(request_.query)) {
      if (name == "tag") tags.push_back(std::move(value));
    }
  } else {
    tags.push_back(path_.argument);
  }
  for (const std::string& tag : tags) {
    if (!is_tag(tag)) throw RegistryRefusal(400, "TAG_INVALID", "invalid tag", tag.substr(0, 200));
  }
  if (auto match = request_.headers.find("If-Match"))
    push.if_match = digest_argument(replace_all(std::string(trim(*match)), "\"", ""));
  push.only_new = trim(request_.headers.get("If-None-Match")) == "*";
  check_quota(0);
  ensure_repository(push.repository);
  std::string type = request_.headers.get("Content-Type");
  push.media_type = std::string(trim(std::string_view(type).substr(0, type.find(';'))));
  if (push.media_type == "application/json" || push.media_type == "application/octet-stream")
    push.media_type.clear();
  push.bytes = read_manifest();
  PushedManifest pushed;
  if (tags.empty()) pushed = put_tagged(push, "");
  for (const std::string& tag : tags) pushed = put_tagged(push, tag);
  HttpResponse answer = registry_response(201);
  answer.headers.set("Location",
                     fmt::format("/v2/{}/manifests/{}", push.repository, pushed.digest));
  answer.headers.set("Docker-Content-Digest", pushed.digest.str());
  if (pushed.subject) answer.headers.set("OCI-Subject", pushed.subject->str());
  if (push.digest && !tags.empty()) answer.headers.set("OCI-Tag", join(tags, ", "));
  response_.send(answer);
}

PushedManifest RegistryExchange::put_tagged(ManifestPush& push, const std::string& tag) {
  push.tag = tag;
  push.is_immutable = !tag.empty() && policy_.is_immutable(push.repository, tag);
  if (push.is_immutable) push.immutable_message = policy_.immutable_message(push.repository, tag);
  PushedManifest pushed = store_.put_manifest(push);
  policy_.pushed(push.repository, tag, pushed);
  return pushed;
}

void RegistryExchange::delete_manifest() {
  require_delete();
  require_repository(path_.repository);
  bool existed = false;
  if (path_.argument.find(':') != std::string::npos) {
    existed = store_.delete_manifest(path_.repository, digest_argument(path_.argument));
  } else {
    existed = store_.delete_tag(path_.repository, path_.argument);
  }
  if (!existed)
    throw RegistryRefusal(404, "MANIFEST_UNKNOWN", "manifest unknown",
                          path_.argument.substr(0, 200));
  response_.send(registry_response(202));
}

void RegistryExchange::referrers() {
  if (!is_reading()) refuse_method("GET, HEAD");
  Digest subject = digest_argument(path_.argument);
  // 404 would mean that there is no such API here. A repository that a push would make is an empty one.
  if (!policy_.creates_on_push(path_.repository)) require_repository(path_.repository);
  policy_.wants_referrers(path_.repository, subject, request_.stop);
  std::string type = query("artifactType").value_or("");
  Index index;
  index.manifests = store_.referrers(path_.repository, subject, type);
  HttpResponse answer = registry_response(200);
  answer.headers.set("Content-Type", media_type::kIndex);
  if (!type.empty()) answer.headers.set("OCI-Filters-Applied", "artifactType");
  answer.body = print(index);
  response_.send(answer);
}

}  // namespace slipway::oci
