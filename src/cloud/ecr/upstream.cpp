// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/upstream.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecr/repository.hpp"
#include "cloud/input.hpp"
#include "cloud/secrets/secrets.hpp"
#include "oci/pull_through.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_store.hpp"

namespace slipway::cloud::ecr {
namespace {

constexpr std::string_view kRoot = "ROOT";

// A prefix without its last '/'.
std::string bare(std::string prefix) {
  if (prefix.ends_with('/')) prefix.pop_back();
  return prefix;
}

bool is_under(std::string_view repository, const std::string& prefix) {
  return prefix == kRoot || repository.starts_with(bare(prefix) + "/");
}

std::optional<Json> longest(Tables& tables, std::string_view kind, const Scope& scope,
                            std::string_view repository,
                            const std::function<bool(const Json&)>& fits) {
  std::optional<Stored> best;
  for (auto& row : tables.list(kind, scope)) {
    if (!is_under(repository, row.id) || !fits(row.body)) continue;
    bool is_better =
        !best || best->id == kRoot || (row.id != kRoot && row.id.size() > best->id.size());
    if (is_better) best = std::move(row);
  }
  return best ? std::optional(best->body) : std::nullopt;
}

}  // namespace

std::optional<Json> cache_rule_for(Tables& tables, const Scope& scope,
                                   std::string_view repository) {
  return longest(tables, kCacheRuleKind, scope, repository, [](const Json&) { return true; });
}

std::optional<Json> template_for(Tables& tables, const Scope& scope, std::string_view repository,
                                 std::string_view applied_for) {
  return longest(tables, kTemplateKind, scope, repository, [&](const Json& one) {
    const auto& uses = one.get_array("appliedFor");
    return std::find(uses.begin(), uses.end(), Json(applied_for)) != uses.end();
  });
}

std::string upstream_repository(const Json& rule, std::string_view repository) {
  std::string prefix = rule.get_string("ecrRepositoryPrefix");
  std::string rest(prefix == kRoot ? repository : repository.substr(bare(prefix).size() + 1));
  std::string above = bare(rule.get_string("upstreamRepositoryPrefix", std::string(kRoot)));
  return above.empty() || above == kRoot ? rest : above + "/" + rest;
}

std::string upstream_host(const Json& rule) {
  std::string url = rule.get_string("upstreamRegistryUrl");
  return url == "registry-1.docker.io" ? "docker.io" : url;
}

Json new_repository(const Scope& scope, std::string_view name, double now, const Json& settings) {
  auto given = [&](const char* key) { return settings.is_object() ? settings.find(key) : nullptr; };
  Json out =
      Json::object({{"repositoryArn", repository_arn(scope, name)},
                    {"registryId", scope.account},
                    {"repositoryName", name},
                    {"repositoryUri", registry_host(scope) + "/" + std::string(name)},
                    {"createdAt", now},
                    {"imageTagMutability", "MUTABLE"},
                    {"imageScanningConfiguration", Json::object({{"scanOnPush", false}})},
                    {"encryptionConfiguration", Json::object({{"encryptionType", "AES256"}})},
                    {"tags", Json::array()}});
  for (const auto& [from, to] :
       {std::pair<const char*, const char*>{"imageTagMutability", "imageTagMutability"},
        {"imageTagMutabilityExclusionFilters", "imageTagMutabilityExclusionFilters"},
        {"imageScanningConfiguration", "imageScanningConfiguration"},
        {"encryptionConfiguration", "encryptionConfiguration"},
        {"tags", "tags"},
        {"resourceTags", "tags"},
        {"repositoryPolicy", "policyText"},
        {"lifecyclePolicy", "lifecyclePolicyText"}}) {
    if (const Json* value = given(from)) out[to] = *value;
  }
  return out;
}

std::optional<oci::Credentials> rule_credentials(Tables& tables, const Scope& scope,
                                                 const Json& rule) {
  std::string arn = rule.get_string("credentialArn");
  if (arn.empty()) return std::nullopt;
  auto secret = secrets::find_secret(tables, scope, arn);
  if (!secret) fail(Fault::denied, "the secret {} does not exist", arn);
  try {
    auto text = secrets::pick_version(*secret, "", "").body.get_string("string");
    Json value = formats::parse_json(text, arn);
    oci::Credentials out{value.get_string("username"), value.get_string("accessToken"), ""};
    if (!out.username.empty() && !out.password.empty()) return out;
  } catch (const Refusal& refusal) {
    fail(Fault::denied, "the secret {}: {}", arn, refusal.message());
  }
  fail(Fault::denied, "the secret {} has no username and accessToken", arn);
}

void Upstreams::through(const Scope& scope, const Json& rule,
                        const std::function<void(oci::PullThrough&)>& use) {
  auto known = state_.read([&](Tables& tables) { return rule_credentials(tables, scope, rule); });
  oci::RegistryClient client(
      {.credentials = [known](const std::string&) { return known; }, .endpoints = {}}, log_);
  oci::PullThrough pull(upstream_host(rule), client, registries_.of(scope), log_);
  use(pull);
}

void Upstreams::bring_manifest(const Scope& scope, std::string_view repository,
                               std::string_view tag_or_digest, const std::stop_token& stop) {
  auto rule =
      state_.read([&](Tables& tables) { return cache_rule_for(tables, scope, repository); });
  if (!rule) return;
  through(scope, *rule, [&](oci::PullThrough& pull) {
    pull.bring_manifest(repository, tag_or_digest, stop, upstream_repository(*rule, repository));
  });
  if (registries_.of(scope).manifest(repository, tag_or_digest))
    create(scope, repository, "PULL_THROUGH_CACHE");
}

void Upstreams::bring_blob(const Scope& scope, std::string_view repository,
                           const oci::Digest& digest, const std::stop_token& stop) {
  if (registries_.of(scope).blob_size(repository, digest)) return;
  auto rule =
      state_.read([&](Tables& tables) { return cache_rule_for(tables, scope, repository); });
  if (!rule) return;
  through(scope, *rule, [&](oci::PullThrough& pull) {
    pull.bring_blob(repository, digest, stop, upstream_repository(*rule, repository));
  });
}

void Upstreams::create(const Scope& scope, std::string_view repository,
                       std::string_view applied_for) {
  state_.write([&](Tables& tables) {
    if (tables.get(kRepositoryKind, scope, repository)) return;
    auto settings = template_for(tables, scope, repository, applied_for);
    tables.put(kRepositoryKind, scope, repository,
               new_repository(scope, repository, formats::epoch_seconds(formats::now()),
                              settings.value_or(Json())));
  });
  registries_.of(scope).create_repository(repository);
}

bool Upstreams::create_on_push(const Scope& scope, std::string_view repository) {
  bool has_template = state_.read([&](Tables& tables) {
    return template_for(tables, scope, repository, "CREATE_ON_PUSH").has_value();
  });
  if (has_template) create(scope, repository, "CREATE_ON_PUSH");
  return has_template;
}

bool Upstreams::would_create(const Scope& scope, std::string_view repository) {
  return state_.read([&](Tables& tables) {
    return !tables.get(kRepositoryKind, scope, repository) &&
           template_for(tables, scope, repository, "CREATE_ON_PUSH");
  });
}

// source  ECR user guide, "IAM permissions required to sync an upstream registry with an Amazon ECR private registry"
std::vector<std::string> Upstreams::import_actions(const Scope& scope, std::string_view repository,
                                                   std::string_view tag_or_digest) {
  if (registries_.of(scope).manifest(repository, tag_or_digest)) return {};
  return state_.read([&](Tables& tables) -> std::vector<std::string> {
    if (!cache_rule_for(tables, scope, repository)) return {};
    if (tables.get(kRepositoryKind, scope, repository)) return {"ecr:BatchImportUpstreamImage"};
    return {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"};
  });
}

}  // namespace slipway::cloud::ecr
