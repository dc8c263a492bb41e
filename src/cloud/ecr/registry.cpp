// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/registry.hpp"

#include <fmt/format.h>

#include "cloud/ecr/repository.hpp"
#include "cloud/ecr/upstream.hpp"
#include "cloud/input.hpp"
#include "oci/registry_server.hpp"

namespace slipway::cloud::ecr {
namespace {

using oci::RegistryAction;
using oci::RegistryPath;

// The IAM action that a registry request stands for.
std::string iam_action(const net::ServerRequest& request, RegistryAction action) {
  auto kind = oci::parse_registry_path(request.path).kind;
  if (action == RegistryAction::catalog) return "ecr:DescribeRepositories";
  if (action == RegistryAction::pull) {
    if (kind == RegistryPath::Kind::blob)
      return request.method == "HEAD" ? "ecr:BatchCheckLayerAvailability"
                                      : "ecr:GetDownloadUrlForLayer";
    if (kind == RegistryPath::Kind::uploads)
      return "ecr:GetDownloadUrlForLayer";  // the source of a mount
    return kind == RegistryPath::Kind::tags ? "ecr:ListImages" : "ecr:BatchGetImage";
  }
  if (kind == RegistryPath::Kind::uploads) return "ecr:InitiateLayerUpload";
  if (kind == RegistryPath::Kind::manifest)
    return action == RegistryAction::remove ? "ecr:BatchDeleteImage" : "ecr:PutImage";
  return request.method == "PUT" ? "ecr:CompleteLayerUpload" : "ecr:UploadLayerPart";
}

class EcrPolicy final : public oci::RegistryPolicy {
 public:
  EcrPolicy(Scope scope, State& state, Registries& registries, Tokens& tokens,
            iam::Authoriser& authoriser, Log& log)
      : scope_(std::move(scope)),
        state_(state),
        tokens_(tokens),
        authoriser_(authoriser),
        upstreams_(state, registries, log) {}

  std::optional<net::HttpResponse> authorise(const net::ServerRequest& request,
                                             RegistryAction action,
                                             std::string_view repository) override {
    auto given = oci::basic_credentials(request);
    if (!given || (given->user.empty() &&
                   given->password.empty())) {  // skopeo without a login sends the empty pair
      return oci::unauthorized(fmt::format("Basic realm=\"{}://{}/\",service=\"ecr.amazonaws.com\"",
                                           request.is_tls ? "https" : "http", request.host),
                               "Not Authorized");
    }
    auto holder = given->user == "AWS" ? tokens_.find(given->password) : std::nullopt;
    if (!holder) return oci::registry_error(400, "DENIED", "Your Authorization Token is invalid.");
    auto now = formats::now();
    if (now >= holder->expires)
      return oci::denied("Your authorization token has expired. Reauthenticate and try again.");
    if (action == RegistryAction::ping) return std::nullopt;
    Call call;
    call.region = scope_.region;
    call.account = scope_.account;
    call.now = now;
    call.is_secure = request.is_tls;
    call.source_ip = request.peer.substr(0, request.peer.rfind(':'));
    auto stored = repository.empty() ? std::nullopt : find(repository);
    Permission permission{.action = iam_action(request, action),
                          .resource = repository.empty() ? "*" : repository_arn(scope_, repository),
                          .context = {}};
    auto decision =
        decide(authoriser_, holder->principal, permission, call, stored.value_or(Json()));
    bool is_owner = holder->principal.account == scope_.account;
    bool is_allowed =
        decision.is_allowed && (is_owner || decision.reason == "the repository policy");
    if (!is_allowed) return oci::denied(not_authorised(holder->principal, permission, decision));
    for (const auto& more : more_actions(request, action, repository)) {
      permission.action = more;
      decision = decide(authoriser_, holder->principal, permission, call, stored.value_or(Json()));
      if (!decision.is_allowed)
        return oci::denied(not_authorised(holder->principal, permission, decision));
    }
    return std::nullopt;
  }
  bool creates_on_push(std::string_view repository) override {
    return upstreams_.create_on_push(scope_, repository);
  }
  void wants_manifest(std::string_view repository, std::string_view tag_or_digest,
                      const std::stop_token& stop) override {
    upstreams_.bring_manifest(scope_, repository, tag_or_digest, stop);
  }
  void wants_blob(std::string_view repository, const oci::Digest& digest,
                  const std::stop_token& stop) override {
    upstreams_.bring_blob(scope_, repository, digest, stop);
  }
  bool is_immutable(std::string_view repository, std::string_view tag) override {
    auto stored = find(repository);
    return stored && is_tag_immutable(*stored, tag);
  }
  std::string immutable_message(std::string_view repository, std::string_view tag) override {
    return fmt::format(
        "The image tag '{}' already exists in the '{}' repository and cannot be overwritten "
        "because the tag is immutable.",
        tag, repository);
  }
  std::string unknown_repository_message(std::string_view repository) override {
    return no_repository(repository, scope_.account);
  }
  bool allows_mount(std::string_view, std::string_view) override { return false; }

 private:
  // What must be allowed besides, where the request brings an image from another registry or makes a repository.
  std::vector<std::string> more_actions(const net::ServerRequest& request, RegistryAction action,
                                        std::string_view repository) {
    if (action == RegistryAction::push && upstreams_.would_create(scope_, repository))
      return {"ecr:CreateRepository"};
    auto path = oci::parse_registry_path(request.path);
    if (action != RegistryAction::pull || path.kind != RegistryPath::Kind::manifest) return {};
    return upstreams_.import_actions(scope_, repository, path.argument);
  }
  std::optional<Json> find(std::string_view repository) {
    return state_.read(
        [&](Tables& tables) { return tables.get(kRepositoryKind, scope_, repository); });
  }

  Scope scope_;
  State& state_;
  Tokens& tokens_;
  iam::Authoriser& authoriser_;
  Upstreams upstreams_;
};

}  // namespace

struct Registry::One {
  One(oci::RegistryStore& store, const Scope& scope, Registry& owner)
      : policy(scope, owner.state_, owner.registries_, owner.tokens_, owner.authoriser_,
               owner.log_),
        server(store, policy, owner.log_,
               oci::RegistryServerOptions{.read_only = false,
                                          .allows_delete = false,
                                          .default_page = 100,
                                          .most_page = 1000}) {}
  EcrPolicy policy;
  oci::RegistryServer server;
};

Registry::Registry(Registries& registries, State& state, Tokens& tokens,
                   iam::Authoriser& authoriser, Scope home, Log& log)
    : registries_(registries),
      state_(state),
      tokens_(tokens),
      authoriser_(authoriser),
      home_(std::move(home)),
      log_(log) {}
Registry::~Registry() = default;

void Registry::handle(net::ServerRequest& request, net::ResponseWriter& response) {
  auto named = parse_registry_host(request.host);
  Scope scope = named ? Scope{named->account, named->region} : home_;
  One* one = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto& opened = open_[scope.account + "/" + scope.region];
    if (!opened) opened = std::make_unique<One>(registries_.of(scope), scope, *this);
    one = opened.get();
  }
  one->server.handle(request, response);
}

}  // namespace slipway::cloud::ecr
