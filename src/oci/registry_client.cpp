// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_client.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/manifest_json.hpp"
#include "oci/registry_client_state.hpp"
#include "oci/verifying_writer.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
using net::HttpResponse;

constexpr auto kCallTime = std::chrono::seconds(60);
constexpr std::uint64_t kLongestManifest = 16u << 20;
constexpr std::size_t kMostTags = 1'000'000;
constexpr const char* kAccept =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";
constexpr int kMostRedirects = 5;

// As long as a slow line needs, not for ever.
Deadline blob_deadline(std::uint64_t size) {
  constexpr std::uint64_t kSlowest = 50'000;  // bytes a second
  return Deadline::in(std::chrono::minutes(5) +
                      std::chrono::seconds(static_cast<long long>(
                          std::min<std::uint64_t>(size / kSlowest, 1u << 24))));
}

std::string manifest_path(const Reference& image) {
  return fmt::format("/v2/{}/manifests/{}", image.repository, image.tag_or_digest());
}
std::string blob_path(const Reference& image, const Digest& digest) {
  return fmt::format("/v2/{}/blobs/{}", image.repository, digest);
}

RegistryRequest call(std::string method, std::string target, std::vector<std::string> scopes) {
  RegistryRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.scopes = std::move(scopes);
  request.deadline = Deadline::in(kCallTime);
  request.exchange.redirects = kMostRedirects;
  request.exchange.most_body_bytes = kLongestManifest;
  return request;
}

std::string type_of(const HttpResponse& response) {
  std::string type = response.headers.get("Content-Type");
  return std::string(trim(std::string_view(type).substr(0, type.find(';'))));
}

// What the registry says the bytes are called; ECR's GET leaves it out.
void check_digest(const HttpResponse& response, const Digest& actual) {
  auto said = Digest::try_parse(response.headers.get("Docker-Content-Digest"));
  if (said && said->algorithm() == actual.algorithm() && *said != actual) {
    fail(Fault::bad_input, "the registry calls the manifest {}, but it is {}", *said, actual);
  }
}

// The address of a Link header's next page; empty when there is none.
std::string next_page(const HttpResponse& response) {
  for (const std::string& link : response.headers.all("Link")) {
    std::size_t end = link.find('>');
    if (link.starts_with('<') && end != std::string::npos &&
        link.find("next", end) != std::string::npos)
      return link.substr(1, end - 1);
  }
  return "";
}

}  // namespace

RegistryClient::RegistryClient(RegistryClientOptions options, Log& log)
    : state_(std::make_unique<State>(std::move(options), log)) {}
RegistryClient::~RegistryClient() = default;

std::optional<Descriptor> RegistryClient::resolve(const Reference& image,
                                                  const std::stop_token& stop,
                                                  std::chrono::milliseconds patience) {
  for (const auto& access : state_->readers(image.host, stop)) {
    RegistryRequest request = call("HEAD", manifest_path(image), {pull_scope(image.repository)});
    request.deadline = Deadline::in(patience);
    request.headers.set("Accept", kAccept);
    HttpResponse response = state_->send(*access, request, stop);
    if (response.status == 404) continue;
    auto digest = Digest::try_parse(response.headers.get("Docker-Content-Digest"));
    if (response.ok() && digest) {
      if (image.digest && *image.digest != *digest)
        fail(Fault::bad_input, "asked for manifest {}, got {}", *image.digest, *digest);
      Descriptor found;
      found.media_type = type_of(response);
      found.digest = *digest;
      found.size = static_cast<std::uint64_t>(
          std::max<long long>(0, to_integer(response.headers.get("Content-Length")).value_or(0)));
      return found;
    }
    // No digest, or a registry that answers HEAD with a refusal: the content tells, or says why
    // not.
    if (auto whole = manifest(image, stop)) return whole->descriptor;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<RemoteManifest> RegistryClient::manifest(const Reference& image,
                                                       const std::stop_token& stop) {
  auto readers = state_->readers(image.host, stop);
  for (const auto& access : readers) {
    bool is_mirror = access != readers.back();
    RegistryRequest request = call("GET", manifest_path(image), {pull_scope(image.repository)});
    request.headers.set("Accept", kAccept);
    HttpResponse response;
    try {
      response = state_->send(*access, request, stop);
    } catch (const Error& error) {
      if (!is_mirror) throw;
      state_->log.warn("mirror '{}': {}", access->host, error.what());
      continue;
    }
    if (response.status == 404 || (is_mirror && !response.ok())) continue;
    if (!response.ok()) throw_refusal(response, image.host);
    Digester digester(image.digest ? image.digest->algorithm() : "sha256");
    digester.update(response.body);
    Digest actual = digester.digest();
    if (image.digest && actual != *image.digest)
      fail(Fault::bad_input, "asked for manifest {}, got {}", *image.digest, actual);
    check_digest(response, actual);
    RemoteManifest found;
    found.descriptor.digest = actual;
    found.descriptor.size = response.body.size();
    std::string type = type_of(response);
    bool is_known = is_index_type(type) || is_manifest_type(type);
    auto document = parse_manifest_or_index(response.body, is_known ? type : "");
    found.descriptor.media_type =
        std::visit([](const auto& any) { return any.media_type; }, document);
    found.bytes = std::move(response.body);
    return found;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> RegistryClient::blob_size(const Reference& repository,
                                                       const Digest& digest,
                                                       const std::stop_token& stop) {
  auto access = state_->access(repository.host, stop);
  HttpResponse response = state_->send(
      *access, call("HEAD", blob_path(repository, digest), {pull_scope(repository.repository)}),
      stop);
  if (response.status == 404) return std::nullopt;
  if (!response.ok())
    throw_refusal(response, repository.host);  // without words: a HEAD has no body
  return static_cast<std::uint64_t>(
      std::max<long long>(0, to_integer(response.headers.get("Content-Length")).value_or(0)));
}

void RegistryClient::fetch_blob(const Reference& repository, const Descriptor& blob,
                                formats::Writer& sink, const std::stop_token& stop) {
  VerifyingWriter checked(sink, blob);
  auto readers = state_->readers(repository.host, stop);
  const Deadline deadline = blob_deadline(blob.size);
  std::size_t reader = 0;  // after the first that fails the next is asked, the last for ever
  bool was_last = false;
  HttpResponse done = state_->insist(
      fmt::format("blob {}", blob.digest), deadline, stop,
      [&] {
        RegistryRequest request =
            call("GET", blob_path(repository, blob.digest), {pull_scope(repository.repository)});
        request.deadline = deadline;
        request.may_repeat = false;
        if (checked.count() > 0)
          request.headers.set("Range", fmt::format("bytes={}-", checked.count()));
        request.exchange.on_head = [&](const HttpResponse& head) -> formats::Writer* {
          if (!head.ok()) return nullptr;
          checked.skip(head.status == 206 ? 0 : checked.count());
          return &checked;
        };
        was_last = reader + 1 == readers.size();
        RegistryAccess& asked = *readers[was_last ? reader : reader++];
        try {
          return state_->send(asked, request, stop);
        } catch (const Error&) {
          if (!checked.is_refused()) throw;
          return HttpResponse{};  // our side's trouble is no reason to ask again: check() throws it
        }
      },
      [&](int status) { return !was_last && status >= 300; });
  if (!done.ok() && !checked.is_refused()) throw_refusal(done, repository.host);
  checked.check();
}

std::vector<std::string> RegistryClient::tags(const Reference& repository,
                                              const std::stop_token& stop) {
  auto access = state_->access(repository.host, stop);
  std::vector<std::string> all;
  std::string target = fmt::format("/v2/{}/tags/list", repository.repository);
  while (!target.empty()) {
    HttpResponse response =
        state_->send(*access, call("GET", target, {pull_scope(repository.repository)}), stop);
    if (!response.ok()) throw_refusal(response, repository.host);
    const Json page = formats::parse_json(response.body);
    std::size_t before = all.size();
    for (const Json& tag : page.get_array("tags")) all.push_back(tag.as_string());
    std::string next = next_page(response);
    if (next == target || all.size() == before || all.size() > kMostTags)
      break;  // a registry that leads in circles
    target = next;
  }
  return all;
}

std::vector<Descriptor> RegistryClient::referrers(const Reference& image,
                                                  std::string_view artifact_type,
                                                  const std::stop_token& stop) {
  if (!image.digest) fail(Fault::bad_input, "referrers are listed for a digest");
  auto access = state_->access(image.host, stop);
  std::string target = fmt::format("/v2/{}/referrers/{}", image.repository, *image.digest);
  if (!artifact_type.empty())
    target += "?" + net::print_query({{"artifactType", std::string(artifact_type)}});
  HttpResponse response =
      state_->send(*access, call("GET", target, {pull_scope(image.repository)}), stop);
  Index index;
  if (response.status == 404 ||
      response.status == 405) {  // the tag that stands for the missing API
    Reference fallback = image;
    fallback.tag = fallback_tag(*image.digest);
    fallback.digest.reset();
    auto found = manifest(fallback, stop);
    if (found && is_index_type(found->descriptor.media_type)) index = parse_index(found->bytes);
  } else if (response.ok()) {
    index = parse_index(response.body);
  } else {
    throw_refusal(response, image.host);
  }
  std::erase_if(index.manifests, [&](const Descriptor& entry) {
    return !artifact_type.empty() && entry.artifact_type != artifact_type;
  });
  return index.manifests;
}

void RegistryClient::remove(const Reference& image, const std::stop_token& stop) {
  auto access = state_->access(image.host, stop);
  std::vector<std::string> scopes{"repository:" + image.repository + ":delete",
                                  push_scope(image.repository)};
  HttpResponse response = state_->send(*access, call("DELETE", manifest_path(image), scopes), stop);
  if (!response.ok()) throw_refusal(response, image.host);
}

void RegistryClient::ping(const std::string& host, const std::stop_token& stop) {
  auto access = state_->access(host, stop);
  HttpResponse response = state_->send(*access, call("GET", "/v2/", {}), stop);
  if (!response.ok()) throw_refusal(response, host);
}

}  // namespace slipway::oci
