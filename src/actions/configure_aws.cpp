// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/jwt.hpp"
#include "formats/time.hpp"
#include "os/file.hpp"

// aws-actions/configure-aws-credentials: keys given, or a role taken by OIDC, by a token file or with other keys. A refusal is
// final: asking twelve times does not change a policy.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

constexpr std::array kKeyVariables = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                      "AWS_SESSION_TOKEN"};

bool is_region(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

/// The inputs, with what may come from the environment instead.
struct Wish {
  std::string region;
  std::string role;
  std::string session_name;
  std::string audience;
  std::optional<aws::Credentials> keys;
  std::string token_file;
  bool chains = false;
};

Wish read_wish(ActionContext& context) {
  Wish wish;
  wish.region = context.text("aws-region");
  if (wish.region.empty())
    wish.region = context.env_or("AWS_REGION", context.env_or("AWS_DEFAULT_REGION"));
  if (!is_region(wish.region)) fail(Fault::bad_input, "Region is not valid: {}", wish.region);
  wish.role = std::string(trim(context.text("role-to-assume")));
  wish.session_name = context.text("role-session-name");
  wish.audience = context.text("audience");
  wish.token_file = context.text("web-identity-token-file");
  wish.chains = context.flag("role-chaining", false);
  auto id = context.text("aws-access-key-id");
  auto secret = context.text("aws-secret-access-key");
  if (id.empty() != secret.empty()) {
    fail(Fault::bad_input,
         "'aws-access-key-id' and 'aws-secret-access-key' must be provided together");
  }
  if (!id.empty()) wish.keys = aws::Credentials{id, secret, context.text("aws-session-token")};
  return wish;
}

// What the token claims, for the reader of a refusal.
std::string claims_of(const std::string& token) {
  auto decoded = formats::decode_jwt(token);
  if (!decoded) return "the token cannot be read";
  std::vector<std::string> shown;
  for (const char* claim : {"iss", "aud", "sub"}) {
    if (const Json* value = decoded->claims.find(claim); value && value->is_string())
      shown.push_back(fmt::format("{} '{}'", claim, value->as_string()));
  }
  return fmt::format("the token has {}", fmt::join(shown, ", "));
}

class ConfigureAws final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"audience", "sts.amazonaws.com"},
                                              {"output-env-credentials", std::nullopt}};
    for (const char* name : {"aws-region",
                             "role-to-assume",
                             "aws-access-key-id",
                             "aws-secret-access-key",
                             "aws-session-token",
                             "web-identity-token-file",
                             "role-chaining",
                             "http-proxy",
                             "no-proxy",
                             "mask-aws-account-id",
                             "role-duration-seconds",
                             "role-external-id",
                             "role-session-name",
                             "role-skip-session-tagging",
                             "transitive-tag-keys",
                             "inline-session-policy",
                             "managed-session-policies",
                             "output-credentials",
                             "unset-current-credentials",
                             "disable-retry",
                             "retry-max-attempts",
                             "special-characters-workaround",
                             "use-existing-credentials",
                             "allowed-account-ids",
                             "force-skip-oidc",
                             "action-timeout-s",
                             "custom-tags",
                             "sts-endpoint",
                             "aws-profile",
                             "overwrite-aws-profile"}) {
      all.push_back({name, std::nullopt});
    }
    return all;
  }

  void run(ActionContext& context) override {
    for (const char* name : {"aws-profile", "http-proxy"}) {
      if (!context.text(name).empty())
        fail(Fault::unsupported, "the input {} is not supported yet", name);
    }
    Wish wish = read_wish(context);
    if (context.flag("unset-current-credentials", false)) clear(context);
    context.set_env("AWS_DEFAULT_REGION", wish.region);
    context.set_env("AWS_REGION", wish.region);
    auto config = aws_config(context, wish.region);
    if (auto endpoint = context.text("sts-endpoint"); !endpoint.empty())
      config.endpoint_urls["sts"] = endpoint;
    if (context.flag("use-existing-credentials", false) && config.credentials &&
        try_existing(context, config))
      return;
    if (!wish.chains) config.credentials = wish.keys;

    Json answer = take_role(context, wish, config);
    if (answer.is_object()) {
      const Json& taken = answer.at("Credentials");
      config.credentials =
          aws::Credentials{taken.get_string("AccessKeyId"), taken.get_string("SecretAccessKey"),
                           taken.get_string("SessionToken")};
    }
    if (!config.credentials) {
      fail(Fault::denied,
           "Credentials could not be loaded, please check your action inputs: Could not load "
           "credentials from any providers");
    }
    mask(context, *config.credentials);
    Json who = identity(context, config);
    check_account(context, who.get_string("Account"));
    publish(context, *config.credentials, answer, who);
  }

  [[nodiscard]] bool has_post() const override { return true; }
  void post(ActionContext& context) override {
    if (context.env_or("AWS_SKIP_CLEANUP_STEP") == "true") return;
    clear(context);
  }

 private:
  static void clear(ActionContext& context) {
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                             "AWS_DEFAULT_REGION", "AWS_REGION"})
      context.set_env(name, "");
  }

  static void mask(ActionContext& context, const aws::Credentials& credentials) {
    context.mask(credentials.access_key_id);
    context.mask(credentials.secret_access_key);
    if (!credentials.session_token.empty()) context.mask(credentials.session_token);
  }

  static bool try_existing(ActionContext& context, const aws::Config& config) {
    aws::Client client(config);
    auto answer = client.call("sts", "GetCallerIdentity", Json::object(), context.stop());
    if (!answer.ok()) return false;
    context.notice("Pre-existing credentials are valid. No need to generate new ones.");
    context.set_output("aws-account-id", answer.value().get_string("Account"));
    return true;
  }

  static Json role_input(ActionContext& context, const Wish& wish) {
    std::string session = wish.session_name.empty() ? "GitHubActions" : wish.session_name;
    Json input = Json::object({{"RoleArn", wish.role}, {"RoleSessionName", session}});
    auto seconds = context.text("role-duration-seconds");
    auto duration = seconds.empty() ? std::optional<long long>(3600) : to_integer(seconds);
    if (!duration)
      fail(Fault::bad_input, "role-duration-seconds is a number of seconds, not '{}'", seconds);
    input["DurationSeconds"] = *duration;
    if (auto policy = context.text("inline-session-policy"); !policy.empty())
      input["Policy"] = policy;
    if (auto arns = context.list("managed-session-policies"); !arns.empty()) {
      Json list = Json::array();
      for (const auto& arn : arns) list.push_back(Json::object({{"arn", arn}}));
      input["PolicyArns"] = std::move(list);
    }
    return input;
  }

  // The answer of the call that took the role, or null when none was asked for.
  static Json take_role(ActionContext& context, const Wish& wish, const aws::Config& config) {
    if (wish.role.empty()) return Json();
    bool by_keys = config.credentials.has_value() || context.flag("force-skip-oidc", false);
    if (!by_keys || !wish.token_file.empty()) {
      if (!wish.role.starts_with("arn:")) {
        fail(Fault::bad_input,
             "Source Account ID is needed if the Role Name is provided and not the Role Arn: "
             "role-to-assume is '{}'",
             wish.role);
      }
      return by_token(context, wish, config);
    }
    return by_credentials(context, wish, config);
  }

  static Json by_token(ActionContext& context, const Wish& wish, const aws::Config& config) {
    bool is_oidc = wish.token_file.empty();
    std::string token = is_oidc
                            ? context.id_token(wish.audience)
                            : std::string(trim(os::read_file(job_file(context, wish.token_file))));
    context.mask(token);
    Json input = role_input(context, wish);
    input["WebIdentityToken"] = token;
    context.log(is_oidc ? "Assuming role with OIDC" : "Assuming role with web identity token file");
    aws::Client client(config);
    auto answer = client.assume_role_with_web_identity(input, context.stop());
    if (const auto* error = answer.error()) {
      fail(Fault::denied,
           "Could not assume role with {}: {} ({}): role {}; {}: look at the role's trust policy, "
           "its provider and the conditions on sub and aud",
           is_oidc ? "OIDC" : "web identity token file", error->message, error->code, wish.role,
           claims_of(token));
    }
    return answer.value();
  }

  static Json by_credentials(ActionContext& context, const Wish& wish, const aws::Config& config) {
    if (!config.credentials) {
      fail(Fault::denied,
           "Credentials could not be loaded, please check your action inputs: Could not load "
           "credentials from any providers");
    }
    Wish full = wish;
    aws::Client client(config);
    if (!wish.role.starts_with("arn:")) {
      full.role = fmt::format("arn:aws:iam::{}:role/{}",
                              identity(context, config).get_string("Account"), wish.role);
    }
    Json input = role_input(context, full);
    if (auto external = context.text("role-external-id"); !external.empty())
      input["ExternalId"] = external;
    if (!context.flag("role-skip-session-tagging", false)) {
      input["Tags"] = session_tags(context);
      if (auto keys = context.list("transitive-tag-keys"); !keys.empty()) {
        Json list = Json::array();
        for (auto& key : keys) list.push_back(key);
        input["TransitiveTagKeys"] = std::move(list);
      }
    }
    context.log("Assuming role with user credentials");
    auto answer = client.call("sts", "AssumeRole", input, context.stop());
    if (const auto* error = answer.error()) {
      fail(Fault::denied, "Could not assume role with user credentials: {} ({}): role {}",
           error->message, error->code, full.role);
    }
    return answer.value();
  }

  // source  configure-aws-credentials, src/assumeRole.ts; what a tag may not hold becomes '_'
  static Json session_tags(ActionContext& context) {
    Json tags = Json::array({Json::object({{"Key", "GitHub"}, {"Value", "Actions"}})});
    static constexpr std::array<std::pair<const char*, const char*>, 6> kTags = {
        {{"Repository", "GITHUB_REPOSITORY"},
         {"Workflow", "GITHUB_WORKFLOW"},
         {"Action", "GITHUB_ACTION"},
         {"Actor", "GITHUB_ACTOR"},
         {"Commit", "GITHUB_SHA"},
         {"Branch", "GITHUB_REF"}}};
    for (const auto& [key, variable] : kTags) {
      std::string value = context.env_or(variable).substr(0, 256);
      for (char& c : value) {
        bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                    std::string_view(" _.:/=+-@").find(c) != std::string_view::npos;
        if (!fine) c = '_';
      }
      if (!value.empty()) tags.push_back(Json::object({{"Key", key}, {"Value", value}}));
    }
    return tags;
  }

  static Json identity(ActionContext& context, const aws::Config& config) {
    aws::Client client(config);
    auto answer = client.call("sts", "GetCallerIdentity", Json::object(), context.stop());
    if (const auto* error = answer.error()) {
      fail(Fault::denied,
           "Credentials could not be loaded, please check your action inputs: {} ({})",
           error->message, error->code);
    }
    return answer.value();
  }

  static void check_account(ActionContext& context, const std::string& account) {
    auto allowed = context.text("allowed-account-ids");
    if (allowed.empty()) return;
    for (const auto& id : split(allowed, ',')) {
      if (trim(id) == account) return;
    }
    fail(Fault::denied,
         "Credentials are not allowed: the account ID {} is not among the allowed-account-ids {}",
         account, allowed);
  }

  static void publish(ActionContext& context, const aws::Credentials& credentials,
                      const Json& taken, const Json& who) {
    if (context.flag("mask-aws-account-id", false)) context.mask(who.get_string("Account"));
    context.set_output("aws-account-id", who.get_string("Account"));
    context.set_output("authenticated-arn", who.get_string("Arn"));
    if (context.flag("output-env-credentials", true)) {
      const std::array values = {credentials.access_key_id, credentials.secret_access_key,
                                 credentials.session_token};
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!values[i].empty() || !context.env_or(kKeyVariables[i]).empty())
          context.set_env(kKeyVariables[i], values[i]);
      }
    }
    if (context.flag("output-credentials", false)) {
      context.set_output("aws-access-key-id", credentials.access_key_id);
      context.set_output("aws-secret-access-key", credentials.secret_access_key);
      context.set_output("aws-session-token", credentials.session_token);
      if (taken.is_object())
        context.set_output("aws-expiration",
                           formats::json_quote(taken.at("Credentials").get_string("Expiration")));
    }
    context.log(fmt::format("Authenticated as {}", who.get_string("Arn")));
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_configure_aws_credentials() {
  return std::make_unique<ConfigureAws>();
}

}  // namespace slipway::actions
