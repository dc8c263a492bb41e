// SPDX-License-Identifier: Apache-2.0
#include "cloud/secrets/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cloud/iam/policy.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::secrets {
namespace {

constexpr std::string_view kBad = "ValidationException";
constexpr std::string_view kNotFound = "ResourceNotFoundException";

Refusal not_found() {
  return {std::string(kNotFound), "Secrets Manager can't find the specified secret."};
}

bool has_stage(const Json& version, std::string_view stage) {
  const auto& stages = version.get_array("stages");
  return std::find(stages.begin(), stages.end(), Json(stage)) != stages.end();
}

// Takes a stage from the version that has it. Returns that version's id, or "".
std::string take_stage(Json& secret, const std::string& stage) {
  for (auto& [id, version] : secret["versions"].as_object()) {
    if (has_stage(version, stage)) {
      std::erase(version["stages"].as_array(), Json(stage));
      return id;
    }
  }
  return "";
}

// A version without stages is forgotten, as AWS may do at any time.
void drop_unstaged(Json& secret) {
  std::erase_if(secret["versions"].as_object(),
                [](const auto& entry) { return entry.second.get_array("stages").empty(); });
}

// AWSCURRENT moves to `id`; the former one becomes AWSPREVIOUS.
void make_current(Json& secret, const std::string& id) {
  auto former = take_stage(secret, "AWSCURRENT");
  secret["versions"][id]["stages"].push_back("AWSCURRENT");
  if (former.empty() || former == id) return;
  take_stage(secret, "AWSPREVIOUS");
  secret["versions"][former]["stages"].push_back("AWSPREVIOUS");
}

Json stages_of(const Json& secret) {
  Json map = Json::object({});
  for (const auto& [id, version] : secret.at("versions").as_object())
    map[id] = version.at("stages");
  return map;
}

void check_name(const Input& in, const std::string& name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+=.@-";
  if (name.size() > 512)
    in.refuse(
        validation_message(name, "name", "Member must have length less than or equal to 512"));
  if (name.find_first_not_of(kAllowed) != std::string::npos) {
    in.refuse(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
        "following: -/_+=.@!");
  }
}

class Secrets final : public Service {
 public:
  explicit Secrets(State& state) : state_(state) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{.signing_name = "secretsmanager",
                                          .target_prefix = "secretsmanager",
                                          .api_version = "",
                                          .xml_namespace = "",
                                          .protocol = Protocol::json_1_1,
                                          .host_prefixes = {"secretsmanager"},
                                          .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override;
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }

 private:
  static const Operations<Secrets>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }

  // Reads, changes and writes the secret that SecretId names; `how` returns the answer.
  template <typename Change>
  Json change(const Call& call, Change&& how) {
    auto id = Input(call.input, kBad).text("SecretId");
    return state_.write([&](Tables& tables) {
      auto secret = find_secret(tables, scope(call), id);
      if (!secret) throw not_found();
      Json answer = how(*secret);
      tables.put(kSecretKind, scope(call), secret->get_string("Name"), *secret);
      return answer;
    });
  }
  Json need(const Call& call) {
    auto id = Input(call.input, kBad).text("SecretId");
    auto secret = state_.read([&](Tables& tables) { return find_secret(tables, scope(call), id); });
    if (!secret) throw not_found();
    return *secret;
  }
  static void refuse_deleted(const Json& secret, std::string_view doing) {
    if (secret.contains("deleted")) {
      throw Refusal("InvalidRequestException",
                    fmt::format("You can't perform this operation on the secret because it was "
                                "marked for deletion.{}",
                                doing));
    }
  }

  // Adds a version from SecretString or SecretBinary; returns its id, or "" when the call has neither.
  static std::string add_version(const Call& call, Json& secret) {
    Input in(call.input, kBad);
    auto text = in.optional_text("SecretString");
    auto binary = in.optional_text("SecretBinary");
    if (text && binary)
      throw Refusal("InvalidParameterException",
                    "You can't specify both a binary secret value and a string secret value in the "
                    "same secret.");
    if (!text && !binary) return "";
    if ((text ? *text : *binary).size() > 65'536)
      in.refuse("The secret value is longer than 65536 bytes");
    auto id = in.text_or("ClientRequestToken", uuid());
    if (id.size() < 32 || id.size() > 64)
      in.refuse(validation_message(id, "clientRequestToken",
                                   "Member must have length between 32 and 64"));
    Json version =
        Json::object({{"created", formats::epoch_seconds(call.now)}, {"stages", Json::array({})}});
    version[text ? "string" : "binary"] = text ? *text : *binary;
    if (const auto* known = secret.at("versions").find(id)) {
      const auto* same = known->find(text ? "string" : "binary");
      if (same == nullptr || same->as_string() != (text ? *text : *binary)) {
        throw Refusal("ResourceExistsException",
                      fmt::format("You can't use ClientRequestToken {} because that value is "
                                  "already in use for a version of secret {}.",
                                  id, secret.get_string("ARN")));
      }
      return id;
    }
    secret["versions"][id] = std::move(version);
    return id;
  }

  Json create_secret(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("Name");
    check_name(in, name);
    auto now = formats::epoch_seconds(call.now);
    Json secret = Json::object({{"Name", name},
                                {"ARN", arn("secretsmanager", call.region, call.account,
                                            fmt::format("secret:{}-{}", name, random_letters(6)))},
                                {"created", now},
                                {"changed", now},
                                {"versions", Json::object({})},
                                {"Tags", Json(in.items("Tags"))}});
    if (auto text = in.optional_text("Description")) secret["Description"] = *text;
    if (auto key = in.optional_text("KmsKeyId")) secret["KmsKeyId"] = *key;
    auto version = add_version(call, secret);
    if (!version.empty()) make_current(secret, version);
    state_.write([&](Tables& tables) {
      if (auto known = tables.get(kSecretKind, scope(call), name)) {
        if (known->contains("deleted"))
          throw Refusal("InvalidRequestException",
                        "You can't create this secret because a secret with this name is already "
                        "scheduled for deletion.");
        throw Refusal(
            "ResourceExistsException",
            fmt::format("The operation failed because the secret {} already exists.", name));
      }
      tables.put(kSecretKind, scope(call), name, secret);
    });
    Json answer = Json::object({{"ARN", secret.at("ARN")}, {"Name", name}});
    if (!version.empty()) answer["VersionId"] = version;
    return answer;
  }

  Json put_secret_value(const Call& call) {
    auto stages = Input(call.input, kBad).texts("VersionStages");
    return change(call, [&](Json& secret) {
      refuse_deleted(secret, "");
      auto id = add_version(call, secret);
      if (id.empty())
        throw Refusal("InvalidRequestException",
                      "You must provide either SecretString or SecretBinary.");
      if (stages.empty()) stages = {"AWSCURRENT"};
      for (const auto& stage : stages) {
        if (stage == "AWSCURRENT") {
          make_current(secret, id);
        } else {
          take_stage(secret, stage);
          secret["versions"][id]["stages"].push_back(stage);
        }
      }
      drop_unstaged(secret);
      secret["changed"] = formats::epoch_seconds(call.now);
      return Json::object({{"ARN", secret.at("ARN")},
                           {"Name", secret.at("Name")},
                           {"VersionId", id},
                           {"VersionStages", secret.at("versions").at(id).at("stages")}});
    });
  }

  Json update_secret(const Call& call) {
    Input in(call.input, kBad);
    return change(call, [&](Json& secret) {
      refuse_deleted(secret, "");
      if (auto text = in.optional_text("Description")) secret["Description"] = *text;
      if (auto key = in.optional_text("KmsKeyId")) secret["KmsKeyId"] = *key;
      auto id = add_version(call, secret);
      secret["changed"] = formats::epoch_seconds(call.now);
      Json answer = Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
      if (id.empty()) return answer;
      make_current(secret, id);
      drop_unstaged(secret);
      answer["VersionId"] = id;
      return answer;
    });
  }

  Json value_answer(const Call& call, const Json& secret, const std::string& version_id,
                    const std::string& stage) {
    refuse_deleted(secret, "");
    auto version = pick_version(secret, version_id, stage);
    Json answer = Json::object(
        {{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}, {"VersionId", version.id}});
    if (const auto* text = version.body.find("string")) answer["SecretString"] = *text;
    if (const auto* binary = version.body.find("binary")) answer["SecretBinary"] = *binary;
    answer["VersionStages"] = version.body.at("stages");
    answer["CreatedDate"] = version.body.at("created");
    (void)call;
    return answer;
  }
  Json get_secret_value(const Call& call) {
    Input in(call.input, kBad);
    return value_answer(call, need(call), in.text_or("VersionId"), in.text_or("VersionStage"));
  }
  Json batch_get_secret_value(const Call& call) {
    Input in(call.input, kBad);
    Json values = Json::array({});
    Json errors = Json::array({});
    for (const auto& id : in.texts("SecretIdList")) {
      try {
        auto secret =
            state_.read([&](Tables& tables) { return find_secret(tables, scope(call), id); });
        if (!secret) throw not_found();
        values.push_back(value_answer(call, *secret, "", ""));
      } catch (const Refusal& refusal) {
        errors.push_back(Json::object(
            {{"SecretId", id}, {"ErrorCode", refusal.code()}, {"Message", refusal.message()}}));
      }
    }
    return Json::object({{"SecretValues", std::move(values)}, {"Errors", std::move(errors)}});
  }

  static Json description_of(const Json& secret) {
    Json answer = Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    for (const auto* key : {"Description", "KmsKeyId"}) {
      if (const auto* value = secret.find(key)) answer[key] = *value;
    }
    answer["LastChangedDate"] = secret.at("changed");
    answer["CreatedDate"] = secret.at("created");
    if (const auto* deleted = secret.find("deleted")) answer["DeletedDate"] = *deleted;
    if (!secret.get_array("Tags").empty()) answer["Tags"] = secret.at("Tags");
    return answer;
  }
  Json describe_secret(const Call& call) {
    auto secret = need(call);
    auto answer = description_of(secret);
    if (!secret.at("versions").empty()) answer["VersionIdsToStages"] = stages_of(secret);
    return answer;
  }
  Json list_secrets(const Call& call) {
    Input in(call.input, kBad);
    auto size = in.page_size("MaxResults", 100, 100);
    std::string after;
    if (auto token = in.optional_text("NextToken")) {
      auto position = read_page_token(*token);
      if (!position) throw Refusal("InvalidNextTokenException", "Invalid NextToken");
      after = *position;
    }
    Json list = Json::array({});
    std::string next;
    for (const auto& stored : state_.read(
             [&](Tables& tables) { return tables.list(kSecretKind, scope(call), "", after); })) {
      if (stored.body.contains("deleted") && !in.boolean_or("IncludePlannedDeletion", false))
        continue;
      if (!passes(in, stored.body)) continue;
      if (list.size() == size) {
        next = list.as_array().back().get_string("Name");
        break;
      }
      auto entry = description_of(stored.body);
      if (!stored.body.at("versions").empty())
        entry["SecretVersionsToStages"] = stages_of(stored.body);
      list.push_back(std::move(entry));
    }
    Json answer = Json::object({{"SecretList", std::move(list)}});
    if (!next.empty()) answer["NextToken"] = page_token(next);
    return answer;
  }
  // Filters [{Key, Values}]: all must pass, one value of each is enough.
  static bool passes(const Input& in, const Json& secret) {
    for (const auto& filter : in.items("Filters")) {
      auto key = filter.get_string("Key");
      bool any = false;
      for (const auto& value : filter.get_array("Values")) {
        const auto& wanted = value.as_string();
        auto starts = [&](const std::string& text) {
          return to_lower(text).starts_with(to_lower(wanted));
        };
        if (key == "name" || key == "all") any = any || starts(secret.get_string("Name"));
        if (key == "description" || key == "all")
          any = any || starts(secret.get_string("Description"));
        for (const auto& tag : secret.get_array("Tags")) {
          if (key == "tag-key" || key == "all")
            any = any || tag.get_string("Key").starts_with(wanted);
          if (key == "tag-value" || key == "all")
            any = any || tag.get_string("Value").starts_with(wanted);
        }
      }
      if (!any) return false;
    }
    return true;
  }
  Json list_secret_version_ids(const Call& call) {
    auto secret = need(call);
    Json versions = Json::array({});
    for (const auto& [id, version] : secret.at("versions").as_object()) {
      versions.push_back(Json::object({{"VersionId", id},
                                       {"VersionStages", version.at("stages")},
                                       {"CreatedDate", version.at("created")}}));
    }
    return Json::object({{"Versions", std::move(versions)},
                         {"ARN", secret.at("ARN")},
                         {"Name", secret.at("Name")}});
  }

  Json delete_secret(const Call& call) {
    Input in(call.input, kBad);
    bool force = in.boolean_or("ForceDeleteWithoutRecovery", false);
    auto days = in.optional_integer("RecoveryWindowInDays");
    if (force && days)
      throw Refusal(
          "InvalidParameterException",
          "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
    if (days && (*days < 7 || *days > 30))
      throw Refusal("InvalidParameterException",
                    "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).");
    auto id = in.text("SecretId");
    auto when = formats::epoch_seconds(call.now) +
                (force ? 0.0 : static_cast<double>(days.value_or(30)) * 86'400);
    return state_.write([&](Tables& tables) {
      auto secret = find_secret(tables, scope(call), id);
      if (!secret) throw not_found();
      if (force) {
        tables.erase(kSecretKind, scope(call), secret->get_string("Name"));
      } else {
        refuse_deleted(*secret, "");
        (*secret)["deleted"] = when;
        tables.put(kSecretKind, scope(call), secret->get_string("Name"), *secret);
      }
      return Json::object(
          {{"ARN", secret->at("ARN")}, {"Name", secret->at("Name")}, {"DeletionDate", when}});
    });
  }
  Json restore_secret(const Call& call) {
    return change(call, [](Json& secret) {
      secret.erase("deleted");
      return Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    });
  }
  Json update_secret_version_stage(const Call& call) {
    Input in(call.input, kBad);
    auto stage = in.text("VersionStage");
    auto to = in.text_or("MoveToVersionId");
    auto from = in.text_or("RemoveFromVersionId");
    return change(call, [&](Json& secret) {
      refuse_deleted(secret, "");
      for (const auto& id : {to, from}) {
        if (!id.empty() && !secret.at("versions").contains(id))
          throw Refusal(
              std::string(kNotFound),
              fmt::format("Secrets Manager can't find the specified secret version: {}.", id));
      }
      if (!from.empty() && !has_stage(secret.at("versions").at(from), stage)) {
        throw Refusal(
            "InvalidParameterException",
            fmt::format("The staging label {} is not attached to version {}", stage, from));
      }
      auto holder = std::string();
      for (const auto& [id, version] : secret.at("versions").as_object()) {
        if (has_stage(version, stage)) holder = id;
      }
      if (!holder.empty() && !to.empty() && holder != to && from != holder) {
        throw Refusal("InvalidParameterException",
                      fmt::format("The parameter RemoveFromVersionId can't be empty. Staging label "
                                  "{} is currently attached to version {}, so you must explicitly "
                                  "reference that version in RemoveFromVersionId.",
                                  stage, holder));
      }
      if (stage == "AWSCURRENT" && !to.empty()) {
        make_current(secret, to);
      } else {
        take_stage(secret, stage);
        if (!to.empty()) secret["versions"][to]["stages"].push_back(stage);
      }
      return Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    });
  }
  Json tag_resource(const Call& call) {
    auto added = Input(call.input, kBad).items("Tags");
    return change(call, [&](Json& secret) {
      for (const auto& tag : added) {
        std::erase_if(secret["Tags"].as_array(), [&](const Json& each) {
          return each.get_string("Key") == tag.get_string("Key");
        });
        secret["Tags"].push_back(tag);
      }
      return Json::object({});
    });
  }
  Json untag_resource(const Call& call) {
    auto removed = Input(call.input, kBad).texts("TagKeys");
    return change(call, [&](Json& secret) {
      for (const auto& key : removed)
        std::erase_if(secret["Tags"].as_array(),
                      [&](const Json& each) { return each.get_string("Key") == key; });
      return Json::object({});
    });
  }
  Json put_resource_policy(const Call& call) {
    auto text = Input(call.input, kBad).text("ResourcePolicy");
    try {
      iam::parse_policy(text, iam::PolicyKind::resource);
    } catch (const Refusal& refusal) {
      throw Refusal("MalformedPolicyDocumentException", refusal.message());
    }
    return change(call, [&](Json& secret) {
      secret["policy"] = text;
      return Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    });
  }
  Json get_resource_policy(const Call& call) {
    auto secret = need(call);
    Json answer = Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    if (const auto* policy = secret.find("policy")) answer["ResourcePolicy"] = *policy;
    return answer;
  }
  Json delete_resource_policy(const Call& call) {
    return change(call, [](Json& secret) {
      secret.erase("policy");
      return Json::object({{"ARN", secret.at("ARN")}, {"Name", secret.at("Name")}});
    });
  }
  Json get_random_password(const Call& call) {
    Input in(call.input, kBad);
    auto length = in.integer_or("PasswordLength", 32);
    if (length < 1 || length > 4096) in.refuse("PasswordLength must be between 1 and 4096");
    std::string alphabet;
    if (!in.boolean_or("ExcludeLowercase", false)) alphabet += "abcdefghijklmnopqrstuvwxyz";
    if (!in.boolean_or("ExcludeUppercase", false)) alphabet += "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (!in.boolean_or("ExcludeNumbers", false)) alphabet += "0123456789";
    if (!in.boolean_or("ExcludePunctuation", false))
      alphabet += "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    if (in.boolean_or("IncludeSpace", false)) alphabet += ' ';
    for (char c : in.text_or("ExcludeCharacters")) std::erase(alphabet, c);
    if (alphabet.empty())
      throw Refusal("InvalidParameterException", "No characters are left to make a password of");
    std::string password;
    for (char byte : random_bytes(static_cast<std::size_t>(length)))
      password += alphabet[static_cast<unsigned char>(byte) % alphabet.size()];
    return Json::object({{"RandomPassword", password}});
  }

  State& state_;
};

const Operations<Secrets>& Secrets::operations() {
  static const Operations<Secrets> table = {
      {"BatchGetSecretValue", &Secrets::batch_get_secret_value},
      {"CreateSecret", &Secrets::create_secret},
      {"DeleteResourcePolicy", &Secrets::delete_resource_policy},
      {"DeleteSecret", &Secrets::delete_secret},
      {"DescribeSecret", &Secrets::describe_secret},
      {"GetRandomPassword", &Secrets::get_random_password},
      {"GetResourcePolicy", &Secrets::get_resource_policy},
      {"GetSecretValue", &Secrets::get_secret_value},
      {"ListSecretVersionIds", &Secrets::list_secret_version_ids},
      {"ListSecrets", &Secrets::list_secrets},
      {"PutResourcePolicy", &Secrets::put_resource_policy},
      {"PutSecretValue", &Secrets::put_secret_value},
      {"RestoreSecret", &Secrets::restore_secret},
      {"TagResource", &Secrets::tag_resource},
      {"UntagResource", &Secrets::untag_resource},
      {"UpdateSecret", &Secrets::update_secret},
      {"UpdateSecretVersionStage", &Secrets::update_secret_version_stage},
  };
  return table;
}

std::vector<Permission> Secrets::permissions(const Call& call) const {
  Input in(call.input, kBad);
  std::string resource = "*";
  if (auto id = in.optional_text("SecretId")) {
    auto secret =
        state_.read([&](Tables& tables) { return find_secret(tables, scope(call), *id); });
    resource = secret ? secret->get_string("ARN")
               : id->starts_with("arn:")
                   ? *id
                   : arn("secretsmanager", call.region, call.account, "secret:" + *id);
  } else if (auto name = in.optional_text("Name")) {
    resource = arn("secretsmanager", call.region, call.account, "secret:" + *name + "-??????");
  }
  return {Permission{
      .action = "secretsmanager:" + call.operation, .resource = resource, .context = {}}};
}

}  // namespace

std::optional<Json> find_secret(Tables& tables, const Scope& scope, const std::string& id) {
  if (!id.starts_with("arn:")) return tables.get(kSecretKind, scope, id);
  auto parsed = parse_arn(id);
  if (!parsed || parsed->service != "secretsmanager" || parsed->region != scope.region ||
      parsed->account != scope.account || !parsed->resource.starts_with("secret:")) {
    return std::nullopt;
  }
  auto name = parsed->resource.substr(7);
  if (auto dash = name.rfind('-'); dash != std::string::npos && name.size() - dash == 7) {
    auto secret = tables.get(kSecretKind, scope, name.substr(0, dash));
    if (secret && secret->get_string("ARN") == id) return secret;
  }
  return tables.get(kSecretKind, scope, name);
}

Version pick_version(const Json& secret, const std::string& version_id, const std::string& stage) {
  auto wanted = version_id.empty() && stage.empty() ? std::string("AWSCURRENT") : stage;
  for (const auto& [id, version] : secret.at("versions").as_object()) {
    if (!version_id.empty() && id != version_id) continue;
    if (!wanted.empty() && !has_stage(version, wanted)) {
      if (!version_id.empty())
        throw Refusal(
            "InvalidRequestException",
            "You provided a VersionStage that is not associated to the provided VersionId.");
      continue;
    }
    return {id, version};
  }
  if (!version_id.empty())
    throw Refusal(
        std::string(kNotFound),
        fmt::format("Secrets Manager can't find the specified secret value for VersionId: {}",
                    version_id));
  throw Refusal(
      std::string(kNotFound),
      fmt::format("Secrets Manager can't find the specified secret value for staging label: {}",
                  wanted));
}

std::unique_ptr<Service> make_secrets(State& state) { return std::make_unique<Secrets>(state); }

}  // namespace slipway::cloud::secrets
