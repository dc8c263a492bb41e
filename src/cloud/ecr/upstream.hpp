// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "cloud/ecr/ecr.hpp"
#include "cloud/state.hpp"
#include "oci/credentials.hpp"
#include "oci/digest.hpp"

// Pull-through cache rules, and the templates by which repositories are made that nobody asked for.
namespace slipway::oci {
class PullThrough;
}

namespace slipway::cloud::ecr {

inline constexpr std::string_view kCacheRuleKind = "ecr.cacheRule";  ///< id: its prefix
inline constexpr std::string_view kTemplateKind = "ecr.template";    ///< id: its prefix

/// The rule with the longest prefix that a repository is under ("quay" for "quay/org/app"; ROOT for every one), or nothing.
std::optional<Json> cache_rule_for(Tables& tables, const Scope& scope, std::string_view repository);
/// Where a rule finds a repository: "org/app", behind the rule's upstreamRepositoryPrefix.
std::string upstream_repository(const Json& rule, std::string_view repository);
/// The registry of a rule as image names have it: registry-1.docker.io is "docker.io".
std::string upstream_host(const Json& rule);
/// The template with the longest fitting prefix that is for this ("CREATE_ON_PUSH", "PULL_THROUGH_CACHE"), or nothing.
std::optional<Json> template_for(Tables& tables, const Scope& scope, std::string_view repository,
                                 std::string_view applied_for);
/// A repository as it is kept.
///   settings  a template, or CreateRepository's input; of null everything is AWS's default
Json new_repository(const Scope& scope, std::string_view name, double now, const Json& settings);

/// The user and password of a rule's secret, {"username", "accessToken"}; nothing for a rule without one.
///   throws  Error{denied} in words for the rule's user
std::optional<oci::Credentials> rule_credentials(Tables& tables, const Scope& scope,
                                                 const Json& rule);

/// Brings what rules lead to into the registries.
///   threads  any
class Upstreams final {
 public:
  Upstreams(State& state, Registries& registries, Log& log)
      : state_(state), registries_(registries), log_(log) {}

  /// Brings a manifest by tag or digest, when a rule leads there; the repository is made with the first.
  void bring_manifest(const Scope& scope, std::string_view repository,
                      std::string_view tag_or_digest, const std::stop_token& stop);
  void bring_blob(const Scope& scope, std::string_view repository, const oci::Digest& digest,
                  const std::stop_token& stop);
  /// Makes a repository when a template for pushes fits its name. False when none does.
  bool create_on_push(const Scope& scope, std::string_view repository);
  /// What a principal must be allowed besides, for pulling a manifest that is not here: IAM actions, mostly none.
  std::vector<std::string> import_actions(const Scope& scope, std::string_view repository,
                                          std::string_view tag_or_digest);
  /// Whether a push would make the repository, by a template.
  bool would_create(const Scope& scope, std::string_view repository);

 private:
  /// Runs `use` with the way to the rule's registry. throws Error{denied} when its secret cannot be read
  void through(const Scope& scope, const Json& rule,
               const std::function<void(oci::PullThrough&)>& use);
  void create(const Scope& scope, std::string_view repository, std::string_view applied_for);

  State& state_;
  Registries& registries_;
  Log& log_;
};

// The operations on them. throws Refusal
Json create_cache_rule(State& state, const Call& call);
Json update_cache_rule(State& state, const Call& call);
Json delete_cache_rule(State& state, const Call& call);
Json describe_cache_rules(State& state, const Call& call);
Json validate_cache_rule(State& state, const Call& call);
Json create_template(State& state, const Call& call);
Json update_template(State& state, const Call& call);
Json delete_template(State& state, const Call& call);
Json describe_templates(State& state, const Call& call);

}  // namespace slipway::cloud::ecr
