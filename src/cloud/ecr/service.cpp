// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "cloud/ecr/images.hpp"
#include "cloud/ecr/repository.hpp"
#include "cloud/ecr/upstream.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"
#include "oci/reference.hpp"

namespace slipway::cloud::ecr {
namespace {

constexpr std::string_view kInvalidParameter = "InvalidParameterException";

class Ecr final : public Service {
 public:
  Ecr(State& state, Registries& registries, Tokens& tokens, const iam::Authoriser& authoriser)
      : state_(state), registries_(registries), tokens_(tokens), authoriser_(authoriser) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{.signing_name = "ecr",
                                          .target_prefix = "AmazonEC2ContainerRegistry_V20150921",
                                          .api_version = "",
                                          .xml_namespace = "",
                                          .protocol = Protocol::json_1_1,
                                          .host_prefixes = {"api.ecr", "ecr"},
                                          .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  // A repository's own policy may allow what identity policies do not: decided in call().
  [[nodiscard]] std::vector<Permission> permissions(const Call&) const override { return {}; }
  Json call(const Call& call) override {
    check_registry_id(call);
    require_permission(call);
    return dispatch(*this, operations(), call);
  }
  // Policies are looked at when one is put, and every minute: AWS takes up to a day.
  void run(std::stop_token stop) override {
    std::uint64_t seen = 0;
    while (!stop.stop_requested()) {
      policies_.wait(
          stop, Deadline::in(std::chrono::minutes(1)),
          [&](std::uint64_t version) { return version != seen; }, [](std::uint64_t&) {});
      if (stop.stop_requested()) return;
      seen = policies_.read([](std::uint64_t version) { return version; });
      expire_images();
    }
  }

 private:
  static const Operations<Ecr>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }
  oci::RegistryStore& store(const Call& call) { return registries_.of(scope(call)); }

  static void check_registry_id(const Call& call) {
    auto id = Input(call.input, kInvalidParameter).optional_text("registryId");
    if (id && *id != call.account)
      throw Refusal(
          "RepositoryNotFoundException",
          no_repository(Input(call.input, kInvalidParameter).text_or("repositoryName"), *id));
  }

  void require_permission(const Call& call) {
    Input in(call.input, kInvalidParameter);
    auto name = in.optional_text("repositoryName");
    auto resource = name ? repository_arn(scope(call), *name) : in.text_or("resourceArn", "*");
    Permission permission{.action = "ecr:" + call.operation, .resource = resource, .context = {}};
    auto stored = name ? find(call, *name) : std::nullopt;
    auto decision = decide(authoriser_, call.caller, permission, call, stored.value_or(Json()));
    if (!decision.is_allowed)
      throw Refusal("AccessDeniedException", not_authorised(call.caller, permission, decision));
  }

  std::optional<Json> find(const Call& call, const std::string& name) {
    return state_.read(
        [&](Tables& tables) { return tables.get(kRepositoryKind, scope(call), name); });
  }
  // The repository that the call names. throws Refusal RepositoryNotFoundException
  Json need(const Call& call) {
    auto name = Input(call.input, kInvalidParameter).text("repositoryName");
    auto stored = find(call, name);
    if (!stored) throw Refusal("RepositoryNotFoundException", no_repository(name, call.account));
    return *stored;
  }
  template <typename Change>
  Json change(const Call& call, Change&& how) {
    auto name = Input(call.input, kInvalidParameter).text("repositoryName");
    return state_.write([&](Tables& tables) {
      auto stored = tables.get(kRepositoryKind, scope(call), name);
      if (!stored) throw Refusal("RepositoryNotFoundException", no_repository(name, call.account));
      Json answer = how(*stored);
      tables.put(kRepositoryKind, scope(call), name, *stored);
      return answer;
    });
  }

  // What the API shows of a stored repository.
  static Json shown(const Json& stored) {
    Json repository = stored;
    for (const auto* hidden :
         {"policyText", "lifecyclePolicyText", "lifecycleAt", "previewText", "tags"})
      repository.erase(hidden);
    return repository;
  }

  Json create_repository(const Call& call) {
    Input in(call.input, kInvalidParameter);
    auto name = in.text("repositoryName");
    if (!oci::is_repository(name) || name.size() < 2 || name.size() > 256) {
      in.refuse(
          "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy "
          "regular expression "
          "'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''");
    }
    read_mutability(in);
    Json repository =
        new_repository(scope(call), name, formats::epoch_seconds(call.now), call.input);
    state_.write([&](Tables& tables) {
      if (tables.get(kRepositoryKind, scope(call), name)) {
        throw Refusal(
            "RepositoryAlreadyExistsException",
            fmt::format("The repository with name '{}' already exists in the registry with id '{}'",
                        name, call.account));
      }
      tables.put(kRepositoryKind, scope(call), name, repository);
    });
    store(call).create_repository(name);
    return Json::object({{"repository", shown(repository)}});
  }

  static std::string read_mutability(const Input& in) {
    auto mutability = in.text_or("imageTagMutability", "MUTABLE");
    for (const auto* known :
         {"MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"}) {
      if (mutability == known) return mutability;
    }
    in.refuse(validation_message(mutability, "imageTagMutability",
                                 "Member must satisfy enum value set: [IMMUTABLE, MUTABLE, "
                                 "IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]"));
  }

  Json describe_repositories(const Call& call) {
    Input in(call.input, kInvalidParameter);
    Json repositories = Json::array({});
    auto names = in.texts("repositoryNames");
    for (const auto& name : names) {
      auto stored = find(call, name);
      if (!stored) throw Refusal("RepositoryNotFoundException", no_repository(name, call.account));
      repositories.push_back(shown(*stored));
    }
    if (!names.empty()) return Json::object({{"repositories", std::move(repositories)}});
    auto size = in.page_size("maxResults", 100, 1000);
    std::string after;
    if (auto token = in.optional_text("nextToken")) {
      auto position = read_page_token(*token);
      if (!position) in.refuse("Invalid parameter at 'nextToken'");
      after = *position;
    }
    auto stored = state_.read([&](Tables& tables) {
      return tables.list(kRepositoryKind, scope(call), "", after, size + 1);
    });
    for (std::size_t i = 0; i < std::min(size, stored.size()); ++i)
      repositories.push_back(shown(stored[i].body));
    Json answer = Json::object({{"repositories", std::move(repositories)}});
    if (stored.size() > size) answer["nextToken"] = page_token(stored[size - 1].id);
    return answer;
  }

  Json delete_repository(const Call& call) {
    Input in(call.input, kInvalidParameter);
    auto repository = need(call);
    auto name = repository.get_string("repositoryName");
    if (!in.boolean_or("force", false) && !store(call).manifests(name).empty()) {
      throw Refusal("RepositoryNotEmptyException",
                    fmt::format("The repository with name '{}' in registry with id '{}' cannot be "
                                "deleted because it still contains images",
                                name, call.account));
    }
    state_.write([&](Tables& tables) { tables.erase(kRepositoryKind, scope(call), name); });
    store(call).delete_repository(name);
    return Json::object({{"repository", shown(repository)}});
  }

  Json get_authorization_token(const Call& call) {
    auto password = tokens_.issue(call.caller, call.now);
    auto host = registry_host(scope(call));
    return Json::object(
        {{"authorizationData",
          Json::array({Json::object(
              {{"authorizationToken", base64("AWS:" + password)},
               {"expiresAt", formats::epoch_seconds(call.now + std::chrono::hours(12))},
               {"proxyEndpoint", "https://" + host}})})}});
  }

  Json put_image_tag_mutability(const Call& call) {
    Input in(call.input, kInvalidParameter);
    auto mutability = read_mutability(in);
    return change(call, [&](Json& stored) {
      stored["imageTagMutability"] = mutability;
      stored.erase("imageTagMutabilityExclusionFilters");
      if (const auto* filters = call.input.find("imageTagMutabilityExclusionFilters"))
        stored["imageTagMutabilityExclusionFilters"] = *filters;
      Json answer = Json::object({{"registryId", call.account},
                                  {"repositoryName", stored.at("repositoryName")},
                                  {"imageTagMutability", mutability}});
      if (const auto* filters = stored.find("imageTagMutabilityExclusionFilters"))
        answer["imageTagMutabilityExclusionFilters"] = *filters;
      return answer;
    });
  }
  Json put_image_scanning_configuration(const Call& call) {
    return change(call, [&](Json& stored) {
      stored["imageScanningConfiguration"] = call.input.at("imageScanningConfiguration");
      return Json::object(
          {{"registryId", call.account},
           {"repositoryName", stored.at("repositoryName")},
           {"imageScanningConfiguration", stored.at("imageScanningConfiguration")}});
    });
  }

  // Lifecycle and repository policies.
  Json put_lifecycle_policy(const Call& call) {
    auto text = Input(call.input, kInvalidParameter).text("lifecyclePolicyText");
    check_lifecycle(text);
    return change(call, [&](Json& stored) {
      stored["lifecyclePolicyText"] = text;
      stored["lifecycleAt"] = formats::epoch_seconds(call.now);
      policies_.with([](std::uint64_t& version) { ++version; });
      return Json::object({{"registryId", call.account},
                           {"repositoryName", stored.at("repositoryName")},
                           {"lifecyclePolicyText", text}});
    });
  }
  static void check_lifecycle(const std::string& text) {
    auto refuse = [](const std::string& why) {
      throw Refusal(std::string(kInvalidParameter),
                    fmt::format("Invalid parameter at 'LifecyclePolicyText' failed to satisfy "
                                "constraint: 'Lifecycle policy validation failure: {}'",
                                why));
    };
    Json policy;
    try {
      policy = formats::parse_json(text);
    } catch (const Error& error) {
      refuse(fmt::format("string [] is not a JSON object: {}", error.what()));
    }
    const auto* rules = policy.find("rules");
    if (rules == nullptr || !rules->is_array() || rules->empty() || rules->size() > 50)
      refuse("object has missing required properties ([\"rules\"])");
    std::vector<std::int64_t> priorities;
    for (const auto& rule : rules->as_array()) {
      const auto* selection = rule.find("selection");
      const auto* action = rule.find("action");
      if (rule.find("rulePriority") == nullptr || selection == nullptr || action == nullptr)
        refuse(
            "object has missing required properties ([\"action\",\"rulePriority\",\"selection\"])");
      auto priority = rule.get_int("rulePriority");
      if (std::find(priorities.begin(), priorities.end(), priority) != priorities.end())
        refuse("rule priorities must be unique");
      priorities.push_back(priority);
      auto status = selection->get_string("tagStatus");
      if (status != "tagged" && status != "untagged" && status != "any")
        refuse(
            "instance value for tagStatus not found in enum (possible values: "
            "[\"any\",\"tagged\",\"untagged\"])");
      if (status == "tagged" && selection->get_array("tagPrefixList").empty() &&
          selection->get_array("tagPatternList").empty()) {
        refuse("tagPrefixList or tagPatternList is required for tagStatus tagged");
      }
      if (selection->get_string("countType").empty() || selection->get_int("countNumber") < 1)
        refuse("object has missing required properties ([\"countNumber\",\"countType\"])");
    }
  }
  Json get_lifecycle_policy(const Call& call) {
    auto stored = need(call);
    auto text = stored.get_string("lifecyclePolicyText");
    if (text.empty()) throw no_lifecycle(call, stored);
    return Json::object({{"registryId", call.account},
                         {"repositoryName", stored.at("repositoryName")},
                         {"lifecyclePolicyText", text},
                         {"lastEvaluatedAt", stored.get_number("lifecycleAt")}});
  }
  Json delete_lifecycle_policy(const Call& call) {
    return change(call, [&](Json& stored) {
      auto text = stored.get_string("lifecyclePolicyText");
      if (text.empty()) throw no_lifecycle(call, stored);
      stored.erase("lifecyclePolicyText");
      return Json::object({{"registryId", call.account},
                           {"repositoryName", stored.at("repositoryName")},
                           {"lifecyclePolicyText", text},
                           {"lastEvaluatedAt", stored.get_number("lifecycleAt")}});
    });
  }
  Json start_lifecycle_policy_preview(const Call& call) {
    auto text = Input(call.input, kInvalidParameter).optional_text("lifecyclePolicyText");
    if (text) check_lifecycle(*text);
    return change(call, [&](Json& stored) {
      auto looked_at = text.value_or(stored.get_string("lifecyclePolicyText"));
      if (looked_at.empty()) throw no_lifecycle(call, stored);
      stored["previewText"] = looked_at;
      return Json::object({{"registryId", call.account},
                           {"repositoryName", stored.at("repositoryName")},
                           {"lifecyclePolicyText", looked_at},
                           {"status", "IN_PROGRESS"}});
    });
  }
  Json get_lifecycle_policy_preview(const Call& call) {
    auto stored = need(call);
    auto name = stored.get_string("repositoryName");
    auto text = stored.get_string("previewText");
    if (text.empty()) {
      throw Refusal("LifecyclePolicyPreviewNotFoundException",
                    fmt::format("The lifecycle policy preview does not exist for the repository "
                                "with name '{}' in the registry with id '{}'",
                                name, call.account));
    }
    Json results = Json::array();
    auto images = lifecycle_images(store(call), name);
    for (const auto& expiry : expired(formats::parse_json(text), images, call.now)) {
      auto image = std::find_if(images.begin(), images.end(),
                                [&](const auto& each) { return each.digest == expiry.digest; });
      Json tags = Json::array();
      for (const auto& tag : image->tags) tags.push_back(tag);
      results.push_back(Json::object({{"imageTags", tags},
                                      {"imageDigest", expiry.digest},
                                      {"imagePushedAt", formats::epoch_seconds(image->pushed)},
                                      {"action", Json::object({{"type", "EXPIRE"}})},
                                      {"appliedRulePriority", expiry.rule_priority}}));
    }
    Json summary =
        Json::object({{"expiringImageTotalCount", static_cast<std::int64_t>(results.size())}});
    return Json::object({{"registryId", call.account},
                         {"repositoryName", name},
                         {"lifecyclePolicyText", text},
                         {"status", "COMPLETE"},
                         {"previewResults", results},
                         {"summary", summary}});
  }
  // Expires what the policies of all repositories let go.
  void expire_images() {
    auto repositories =
        state_.read([](Tables& tables) { return tables.list_everywhere(kRepositoryKind); });
    for (const auto& [where, stored] : repositories) {
      auto text = stored.body.get_string("lifecyclePolicyText");
      if (text.empty()) continue;
      auto& registry = registries_.of(where);
      for (const auto& expiry : expired(formats::parse_json(text),
                                        lifecycle_images(registry, stored.id), formats::now())) {
        if (auto digest = oci::Digest::try_parse(expiry.digest))
          registry.delete_manifest(stored.id, *digest);
      }
    }
  }
  Json get_download_url_for_layer(const Call& call) {
    auto name = need(call).get_string("repositoryName");
    auto text = Input(call.input, kInvalidParameter).text("layerDigest");
    auto digest = oci::Digest::try_parse(text);
    if (!digest || !store(call).blob_size(name, *digest)) {
      throw Refusal("LayersNotFoundException",
                    fmt::format("Layers with digests '[{}]' required for pushed image do not exist "
                                "in the repository with name '{}' in the registry with id '{}'",
                                text, name, call.account));
    }
    auto url = fmt::format("{}://AWS:{}@{}/v2/{}/blobs/{}", call.is_secure ? "https" : "http",
                           tokens_.issue(call.caller, call.now), call.host, name, text);
    return Json::object({{"downloadUrl", url}, {"layerDigest", text}});
  }
  static Refusal no_lifecycle(const Call& call, const Json& stored) {
    return {"LifecyclePolicyNotFoundException",
            fmt::format("Lifecycle policy does not exist for the repository with name '{}' in the "
                        "registry with id '{}'",
                        stored.get_string("repositoryName"), call.account)};
  }
  Json set_repository_policy(const Call& call) {
    auto text = Input(call.input, kInvalidParameter).text("policyText");
    try {
      iam::parse_policy(text, iam::PolicyKind::resource);
    } catch (const Refusal& refusal) {
      throw Refusal(std::string(kInvalidParameter),
                    fmt::format("Invalid parameter at 'PolicyText' failed to satisfy constraint: "
                                "'Invalid repository policy provided': {}",
                                refusal.message()));
    }
    return change(call, [&](Json& stored) {
      stored["policyText"] = text;
      return Json::object({{"registryId", call.account},
                           {"repositoryName", stored.at("repositoryName")},
                           {"policyText", text}});
    });
  }
  Json get_repository_policy(const Call& call) {
    auto stored = need(call);
    auto text = stored.get_string("policyText");
    if (text.empty()) throw no_policy(call, stored);
    return Json::object({{"registryId", call.account},
                         {"repositoryName", stored.at("repositoryName")},
                         {"policyText", text}});
  }
  Json delete_repository_policy(const Call& call) {
    return change(call, [&](Json& stored) {
      auto text = stored.get_string("policyText");
      if (text.empty()) throw no_policy(call, stored);
      stored.erase("policyText");
      return Json::object({{"registryId", call.account},
                           {"repositoryName", stored.at("repositoryName")},
                           {"policyText", text}});
    });
  }
  static Refusal no_policy(const Call& call, const Json& stored) {
    return {"RepositoryPolicyNotFoundException",
            fmt::format("Repository policy does not exist for the repository with name '{}' in the "
                        "registry with id '{}'",
                        stored.get_string("repositoryName"), call.account)};
  }

  // Tags, by ARN.
  template <typename Change>
  Json change_by_arn(const Call& call, Change&& how) {
    auto text = Input(call.input, kInvalidParameter).text("resourceArn");
    auto parsed = parse_arn(text);
    auto name =
        parsed && parsed->resource.starts_with("repository/") ? parsed->resource.substr(11) : "";
    return state_.write([&](Tables& tables) {
      auto stored = name.empty() ? std::nullopt : tables.get(kRepositoryKind, scope(call), name);
      if (!stored) throw Refusal("RepositoryNotFoundException", no_repository(name, call.account));
      Json answer = how(*stored);
      tables.put(kRepositoryKind, scope(call), name, *stored);
      return answer;
    });
  }
  Json list_tags_for_resource(const Call& call) {
    return change_by_arn(call, [](Json& stored) {
      return Json::object({{"tags", stored.at("tags")}});
    });
  }
  Json tag_resource(const Call& call) {
    auto added = Input(call.input, kInvalidParameter).items("tags");
    return change_by_arn(call, [&](Json& stored) {
      for (const auto& tag : added) {
        std::erase_if(stored["tags"].as_array(), [&](const Json& each) {
          return each.get_string("Key") == tag.get_string("Key");
        });
        stored["tags"].push_back(tag);
      }
      return Json::object({});
    });
  }
  Json untag_resource(const Call& call) {
    auto removed = Input(call.input, kInvalidParameter).texts("tagKeys");
    return change_by_arn(call, [&](Json& stored) {
      for (const auto& key : removed)
        std::erase_if(stored["tags"].as_array(),
                      [&](const Json& each) { return each.get_string("Key") == key; });
      return Json::object({});
    });
  }

  Json describe_registry(const Call& call) {
    return Json::object({{"registryId", call.account},
                         {"replicationConfiguration", Json::object({{"rules", Json::array({})}})}});
  }
  Json describe_image_scan_findings(const Call& call) {
    auto stored = need(call);
    throw Refusal("ScanNotFoundException",
                  fmt::format("Image scan does not exist for the image in the repository with name "
                              "'{}' in the registry with id '{}': scanning is not enabled here",
                              stored.get_string("repositoryName"), call.account));
  }
  Json start_image_scan(const Call& call) {
    need(call);
    throw Refusal("ValidationException",
                  "This feature is disabled: image scanning is not enabled here");
  }

  template <Json (*Work)(oci::RegistryStore&, const Call&, const std::string&)>
  Json on_images(const Call& call) {
    return Work(store(call), call, need(call).get_string("repositoryName"));
  }
  template <Json (*Work)(State&, const Call&)>
  Json on_state(const Call& call) {
    return Work(state_, call);
  }
  Json put_image(const Call& call) {
    auto stored = need(call);
    return ecr::put_image(store(call), call, stored.get_string("repositoryName"), stored);
  }

  State& state_;
  Registries& registries_;
  Tokens& tokens_;
  const iam::Authoriser& authoriser_;
  Guarded<std::uint64_t> policies_;  ///< how many lifecycle policies have been put
};

const Operations<Ecr>& Ecr::operations() {
  static const Operations<Ecr> table = {
      {"BatchCheckLayerAvailability", &Ecr::on_images<batch_check_layer_availability>},
      {"BatchDeleteImage", &Ecr::on_images<batch_delete_image>},
      {"BatchGetImage", &Ecr::on_images<batch_get_image>},
      {"CompleteLayerUpload", &Ecr::on_images<complete_layer_upload>},
      {"CreatePullThroughCacheRule", &Ecr::on_state<create_cache_rule>},
      {"CreateRepository", &Ecr::create_repository},
      {"CreateRepositoryCreationTemplate", &Ecr::on_state<create_template>},
      {"DeleteLifecyclePolicy", &Ecr::delete_lifecycle_policy},
      {"DeletePullThroughCacheRule", &Ecr::on_state<delete_cache_rule>},
      {"DeleteRepository", &Ecr::delete_repository},
      {"DeleteRepositoryCreationTemplate", &Ecr::on_state<delete_template>},
      {"DeleteRepositoryPolicy", &Ecr::delete_repository_policy},
      {"DescribeImageScanFindings", &Ecr::describe_image_scan_findings},
      {"DescribeImages", &Ecr::on_images<describe_images>},
      {"DescribePullThroughCacheRules", &Ecr::on_state<describe_cache_rules>},
      {"DescribeRegistry", &Ecr::describe_registry},
      {"DescribeRepositories", &Ecr::describe_repositories},
      {"DescribeRepositoryCreationTemplates", &Ecr::on_state<describe_templates>},
      {"GetAuthorizationToken", &Ecr::get_authorization_token},
      {"GetDownloadUrlForLayer", &Ecr::get_download_url_for_layer},
      {"GetLifecyclePolicy", &Ecr::get_lifecycle_policy},
      {"GetLifecyclePolicyPreview", &Ecr::get_lifecycle_policy_preview},
      {"StartLifecyclePolicyPreview", &Ecr::start_lifecycle_policy_preview},
      {"GetRepositoryPolicy", &Ecr::get_repository_policy},
      {"InitiateLayerUpload", &Ecr::on_images<initiate_layer_upload>},
      {"ListImages", &Ecr::on_images<list_images>},
      {"ListTagsForResource", &Ecr::list_tags_for_resource},
      {"PutImage", &Ecr::put_image},
      {"PutImageScanningConfiguration", &Ecr::put_image_scanning_configuration},
      {"PutImageTagMutability", &Ecr::put_image_tag_mutability},
      {"PutLifecyclePolicy", &Ecr::put_lifecycle_policy},
      {"SetRepositoryPolicy", &Ecr::set_repository_policy},
      {"StartImageScan", &Ecr::start_image_scan},
      {"TagResource", &Ecr::tag_resource},
      {"UntagResource", &Ecr::untag_resource},
      {"UpdatePullThroughCacheRule", &Ecr::on_state<update_cache_rule>},
      {"UpdateRepositoryCreationTemplate", &Ecr::on_state<update_template>},
      {"UploadLayerPart", &Ecr::on_images<upload_layer_part>},
      {"ValidatePullThroughCacheRule", &Ecr::on_state<validate_cache_rule>},
  };
  return table;
}

}  // namespace

std::unique_ptr<Service> make_ecr(State& state, Registries& registries, Tokens& tokens,
                                  const iam::Authoriser& authoriser) {
  return std::make_unique<Ecr>(state, registries, tokens, authoriser);
}

}  // namespace slipway::cloud::ecr
