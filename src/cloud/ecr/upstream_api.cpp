// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecr/upstream.hpp"
#include "cloud/input.hpp"
#include "oci/registry_client.hpp"

namespace slipway::cloud::ecr {
namespace {

constexpr std::string_view kBad = "InvalidParameterException";

struct Upstream {
  const char* name;  // upstreamRegistry
  const char* url;   // its end, for registries of customers
  bool needs_secret;
};
constexpr Upstream kUpstreams[] = {
    {"ecr-public", "public.ecr.aws", false},
    {"quay", "quay.io", false},
    {"k8s", "registry.k8s.io", false},
    {"docker-hub", "registry-1.docker.io", true},
    {"github-container-registry", "ghcr.io", true},
    {"azure-container-registry", ".azurecr.io", true},
    {"gitlab-container-registry", "registry.gitlab.com", true},
    {"chainguard", "cgr.dev", true},
};

// Of this machine: another registry stands in for the world's.
bool is_local(const std::string& url) {
  return url.starts_with("127.") || url.starts_with("localhost:");
}

const Upstream* upstream_of(const std::string& url) {
  for (const auto& one : kUpstreams) {
    if (url == one.url || (one.url[0] == '.' && url.ends_with(one.url))) return &one;
  }
  return nullptr;
}

Json shown_rule(Json rule, std::initializer_list<const char*> hidden) {
  for (const char* key : hidden) rule.erase(key);
  return rule;
}

Json need_rule(Tables& tables, const Call& call, const std::string& prefix) {
  auto stored = tables.get(kCacheRuleKind, scope_of(call), prefix);
  if (!stored) {
    refuse(
        "PullThroughCacheRuleNotFoundException",
        fmt::format("The pull through cache rule with prefix '{}' does not exist in the registry "
                    "with id '{}'",
                    prefix, call.account));
  }
  return *stored;
}

std::string prefix_of(const Call& call, const char* key) {
  std::string prefix = Input(call.input, kBad).text(key);
  if (prefix.ends_with('/')) prefix.pop_back();
  return prefix;
}

// Those of a kind, named by the call or all of them, page by page.
Json listed(State& state, const Call& call, std::string_view kind, const char* names_key,
            const char* set, const std::function<void(const std::string&)>& missing) {
  Input in(call.input, kBad);
  auto names = in.texts(names_key);
  std::string after;
  if (auto token = in.optional_text("nextToken")) {
    auto position = read_page_token(*token);
    if (!position) in.refuse("Invalid parameter at 'nextToken'");
    after = *position;
  }
  auto size = in.page_size("maxResults", 100, 1000);
  auto rows =
      state.read([&](Tables& tables) { return tables.list(kind, scope_of(call), "", after); });
  for (const auto& name : names) {
    bool is_there =
        std::any_of(rows.begin(), rows.end(), [&](const Stored& row) { return row.id == name; });
    if (!is_there) missing(name);
  }
  if (!names.empty()) {
    std::erase_if(rows, [&](const Stored& row) {
      return std::find(names.begin(), names.end(), row.id) == names.end();
    });
  }
  Json list = Json::array();
  Json answer = Json::object();
  for (const auto& row : rows) {
    if (list.size() == size) {
      answer["nextToken"] = page_token(after);
      break;
    }
    list.push_back(row.body);
    after = row.id;
  }
  answer[set] = std::move(list);
  return answer;
}

}  // namespace

Json create_cache_rule(State& state, const Call& call) {
  Input in(call.input, kBad);
  Scope scope = scope_of(call);
  std::string prefix = prefix_of(call, "ecrRepositoryPrefix");
  std::string url = in.text("upstreamRegistryUrl");
  if (url.starts_with("https://")) url = url.substr(8);
  const auto* upstream = upstream_of(url);
  if (upstream == nullptr && !is_local(url)) {
    refuse("UnsupportedUpstreamRegistryException",
           fmt::format("The specified upstream registry '{}' is not supported.", url));
  }
  if (upstream != nullptr && upstream->needs_secret && !in.has("credentialArn"))
    in.refuse(fmt::format("credentialArn is required for the upstream registry '{}'.", url));
  double now = formats::epoch_seconds(call.now);
  Json rule =
      Json::object({{"ecrRepositoryPrefix", prefix},
                    {"upstreamRegistryUrl", url},
                    {"createdAt", now},
                    {"updatedAt", now},
                    {"registryId", call.account},
                    {"upstreamRepositoryPrefix", in.text_or("upstreamRepositoryPrefix", "ROOT")}});
  if (upstream != nullptr) rule["upstreamRegistry"] = upstream->name;
  for (const char* key : {"credentialArn", "customRoleArn"}) {
    if (auto text = in.optional_text(key)) rule[key] = *text;
  }
  state.write([&](Tables& tables) {
    if (tables.get(kCacheRuleKind, scope, prefix)) {
      refuse(
          "PullThroughCacheRuleAlreadyExistsException",
          fmt::format(
              "A pull through cache rule with the specified repository prefix '{}' already exists.",
              prefix));
    }
    try {
      rule_credentials(tables, scope, rule);
    } catch (const Error& error) {
      refuse(error.what() == std::string("the secret ") + rule.get_string("credentialArn") +
                                 " does not exist"
                 ? "SecretNotFoundException"
                 : "UnableToAccessSecretException",
             error.what());
    }
    tables.put(kCacheRuleKind, scope, prefix, rule);
  });
  return shown_rule(rule, {"updatedAt"});
}

Json update_cache_rule(State& state, const Call& call) {
  Input in(call.input, kBad);
  std::string prefix = prefix_of(call, "ecrRepositoryPrefix");
  return state.write([&](Tables& tables) {
    Json rule = need_rule(tables, call, prefix);
    for (const char* key : {"credentialArn", "customRoleArn"}) {
      if (auto text = in.optional_text(key)) rule[key] = *text;
    }
    rule["updatedAt"] = formats::epoch_seconds(call.now);
    tables.put(kCacheRuleKind, scope_of(call), prefix, rule);
    return shown_rule(rule, {"createdAt", "upstreamRegistry", "upstreamRegistryUrl"});
  });
}

Json delete_cache_rule(State& state, const Call& call) {
  std::string prefix = prefix_of(call, "ecrRepositoryPrefix");
  return state.write([&](Tables& tables) {
    Json rule = need_rule(tables, call, prefix);
    tables.erase(kCacheRuleKind, scope_of(call), prefix);
    return shown_rule(rule, {"updatedAt", "upstreamRegistry"});
  });
}

Json describe_cache_rules(State& state, const Call& call) {
  return listed(state, call, kCacheRuleKind, "ecrRepositoryPrefixes", "pullThroughCacheRules",
                [&](const std::string& prefix) {
                  state.read([&](Tables& tables) { return need_rule(tables, call, prefix); });
                });
}

// Asks the other registry, with the rule's secret.
Json validate_cache_rule(State& state, const Call& call) {
  std::string prefix = prefix_of(call, "ecrRepositoryPrefix");
  Json rule = state.read([&](Tables& tables) { return need_rule(tables, call, prefix); });
  Json answer = shown_rule(rule, {"createdAt", "updatedAt", "upstreamRegistry"});
  answer["isValid"] = true;
  try {
    auto known =
        state.read([&](Tables& tables) { return rule_credentials(tables, scope_of(call), rule); });
    NoLog log;
    oci::RegistryClient client(
        {.credentials = [known](const std::string&) { return known; }, .endpoints = {}}, log);
    client.ping(upstream_host(rule), call.stop);
  } catch (const Error& error) {
    answer["isValid"] = false;
    answer["failure"] = error.what();
  }
  return answer;
}

namespace {

Json template_answer(const Call& call, const Json& stored) {
  return Json::object({{"registryId", call.account}, {"repositoryCreationTemplate", stored}});
}

[[noreturn]] void refuse_no_template(const Call& call, const std::string& prefix) {
  refuse("TemplateNotFoundException",
         fmt::format("The repository creation template with prefix '{}' does not exist in the "
                     "registry with id '{}'",
                     prefix, call.account));
}

void take_over(Json& stored, const Call& call) {
  for (const char* key : {"description", "encryptionConfiguration", "resourceTags",
                          "imageTagMutability", "imageTagMutabilityExclusionFilters",
                          "repositoryPolicy", "lifecyclePolicy", "appliedFor", "customRoleArn"}) {
    if (const Json* value = call.input.find(key)) stored[key] = *value;
  }
  stored["updatedAt"] = formats::epoch_seconds(call.now);
}

}  // namespace

Json create_template(State& state, const Call& call) {
  std::string prefix = prefix_of(call, "prefix");
  Json stored =
      Json::object({{"prefix", prefix},
                    {"imageTagMutability", "MUTABLE"},
                    {"encryptionConfiguration", Json::object({{"encryptionType", "AES256"}})},
                    {"resourceTags", Json::array()},
                    {"createdAt", formats::epoch_seconds(call.now)}});
  take_over(stored, call);
  state.write([&](Tables& tables) {
    if (tables.get(kTemplateKind, scope_of(call), prefix)) {
      refuse("TemplateAlreadyExistsException",
             fmt::format("A repository creation template with the prefix '{}' already exists.",
                         prefix));
    }
    tables.put(kTemplateKind, scope_of(call), prefix, stored);
  });
  return template_answer(call, stored);
}

Json update_template(State& state, const Call& call) {
  std::string prefix = prefix_of(call, "prefix");
  return state.write([&](Tables& tables) {
    auto stored = tables.get(kTemplateKind, scope_of(call), prefix);
    if (!stored) refuse_no_template(call, prefix);
    take_over(*stored, call);
    tables.put(kTemplateKind, scope_of(call), prefix, *stored);
    return template_answer(call, *stored);
  });
}

Json delete_template(State& state, const Call& call) {
  std::string prefix = prefix_of(call, "prefix");
  return state.write([&](Tables& tables) {
    auto stored = tables.get(kTemplateKind, scope_of(call), prefix);
    if (!stored) refuse_no_template(call, prefix);
    tables.erase(kTemplateKind, scope_of(call), prefix);
    return template_answer(call, *stored);
  });
}

Json describe_templates(State& state, const Call& call) {
  Json answer = listed(state, call, kTemplateKind, "prefixes", "repositoryCreationTemplates",
                       [](const std::string&) {});
  answer["registryId"] = call.account;
  return answer;
}

}  // namespace slipway::cloud::ecr
