// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "net/http_message.hpp"
#include "net/http_server.hpp"
#include "oci/registry_store.hpp"

namespace slipway::oci {

/// What a request wants of a registry.
enum class RegistryAction { ping, catalog, pull, push, remove };

/// What differs from registry to registry: who may do what, and the words for saying no. Called
/// from many threads.
class RegistryPolicy {
 public:
  RegistryPolicy() = default;
  RegistryPolicy(const RegistryPolicy&) = delete;
  RegistryPolicy& operator=(const RegistryPolicy&) = delete;
  virtual ~RegistryPolicy() = default;

  /// Nothing when allowed; else the whole answer: unauthorized() with a challenge, or denied().
  ///   repository  empty for ping and catalog. Asked before the body is read; for a mount also with
  ///   (pull, the source).
  virtual std::optional<net::HttpResponse> authorise(const net::ServerRequest& request,
                                                     RegistryAction action,
                                                     std::string_view repository) = 0;
  /// A push to a repository that does not exist makes it.
  virtual bool creates_on_push(std::string_view /*repository*/) { return true; }
  /// The tag may not lead to another manifest, nor be pushed again.
  virtual bool is_immutable(std::string_view /*repository*/, std::string_view /*tag*/) {
    return false;
  }
  /// The message of TAG_INVALID.
  virtual std::string immutable_message(std::string_view repository, std::string_view tag);
  /// The message of NAME_UNKNOWN.
  virtual std::string unknown_repository_message(std::string_view repository);
  /// A mount without having to upload; false answers 202, the client then uploads.
  virtual bool allows_mount(std::string_view /*repository*/, std::string_view /*from*/) {
    return true;
  }
  /// A manifest or blob is about to be looked up; a mirror brings it now when it is missing.
  virtual void wants_manifest(std::string_view /*repository*/, std::string_view /*tag_or_digest*/,
                              const std::stop_token& /*stop*/) {}
  virtual void wants_blob(std::string_view /*repository*/, const Digest& /*digest*/,
                          const std::stop_token& /*stop*/) {}
  virtual void wants_referrers(std::string_view /*repository*/, const Digest& /*subject*/,
                               const std::stop_token& /*stop*/) {}
  /// All tags, sorted, where others are known than those that are here.
  virtual std::optional<std::vector<std::string>> known_tags(std::string_view /*repository*/,
                                                             const std::stop_token& /*stop*/) {
    return std::nullopt;
  }
  /// After a manifest was stored, before it is answered.
  virtual void pushed(std::string_view /*repository*/, std::string_view /*tag*/,
                      const PushedManifest& /*manifest*/) {}
  /// A manifest was asked for by GET.
  virtual void pulled(std::string_view /*repository*/, const Digest& /*digest*/) {}
};

/// Everybody may do everything.
class OpenPolicy final : public RegistryPolicy {
 public:
  std::optional<net::HttpResponse> authorise(const net::ServerRequest&, RegistryAction,
                                             std::string_view) override {
    return std::nullopt;
  }
};

struct RegistryServerOptions {
  bool read_only = false;
  bool allows_delete = true;
  std::size_t default_page = SIZE_MAX;  ///< tags of a page when the client does not say; ECR 100
  std::size_t most_page = SIZE_MAX;     ///< a larger n is refused with UNSUPPORTED; ECR 1000
  std::uint64_t most_manifest_bytes = 4u << 20;
  std::uint64_t most_blob_bytes = UINT64_MAX;
  std::uint64_t most_total_bytes =
      UINT64_MAX;  ///< quota over all repositories; past it pushes get DENIED
};

/// Answers the OCI distribution protocol (1.1) out of a RegistryStore. Every path under /v2/ is its
/// own.
///   threads  any
///   source   OCI distribution-spec 1.1.1
class RegistryServer final {
 public:
  /// Store and policy are borrowed.
  RegistryServer(RegistryStore& store, RegistryPolicy& policy, Log& log,
                 RegistryServerOptions options = {});
  RegistryServer(const RegistryServer&) = delete;
  RegistryServer& operator=(const RegistryServer&) = delete;
  ~RegistryServer();
  /// Answers one request, refusals included.
  void handle(net::ServerRequest& request, net::ResponseWriter& response);
  /// True for "/v2" and what is below: the requests that handle() is for.
  static bool is_registry_path(std::string_view path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// {"errors":[{"code","message","detail"}]} with Docker-Distribution-API-Version.
net::HttpResponse registry_error(int status, std::string_view code, std::string_view message,
                                 std::string_view detail = "");
/// 401 UNAUTHORIZED with WWW-Authenticate: `challenge`, such as `Basic realm="x"`.
net::HttpResponse unauthorized(std::string_view challenge,
                               std::string_view message = "authentication required");
/// 403 DENIED.
net::HttpResponse denied(std::string_view message);
/// User and password of an "Authorization: Basic" header; nothing when there is none or it is
/// malformed.
struct BasicCredentials {
  std::string user;
  std::string password;
};
std::optional<BasicCredentials> basic_credentials(const net::ServerRequest& request);

/// A request's path under /v2/ taken apart. Pure; for tests and fuzzing.
struct RegistryPath {
  enum class Kind { ping, catalog, tags, manifest, blob, uploads, upload, referrers, unknown };
  Kind kind = Kind::unknown;
  std::string repository;  ///< as written; not checked
  std::string argument;    ///< tag or digest, or upload id; percent-decoded
};
RegistryPath parse_registry_path(std::string_view path);

}  // namespace slipway::oci
