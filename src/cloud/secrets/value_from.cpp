// SPDX-License-Identifier: Apache-2.0
#include "cloud/secrets/value_from.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/secrets/secrets.hpp"
#include "cloud/ssm/ssm.hpp"

namespace slipway::cloud::secrets {
namespace {

using Outcome = std::variant<std::string, NoValue>;

NoValue no_value(std::string_view why) {
  return {
      fmt::format("ResourceInitializationError: unable to pull secrets or registry auth: {}", why)};
}

NoValue no_secret(std::string_view secret_arn, std::string_view why) {
  return no_value(
      fmt::format("execution resource retrieval failed: unable to retrieve secret from asm: "
                  "service call has been retried 1 time(s): "
                  "failed to fetch secret {} from secrets manager: {}",
                  secret_arn, why));
}

NoValue no_parameter(std::string_view why) {
  return no_value(
      fmt::format("execution resource retrieval failed: unable to retrieve secrets from ssm: "
                  "service call has been retried 1 time(s): {}",
                  why));
}

std::string denied_text(const std::string& role_arn, std::string_view action,
                        std::string_view resource, const iam::Decision& decision) {
  auto parsed = parse_arn(role_arn);
  auto who = parsed ? fmt::format("arn:{}:sts::{}:assumed-role/{}/ecs-task", parsed->partition,
                                  parsed->account, iam::role_name_of(role_arn))
                    : role_arn;
  return fmt::format(
      "AccessDeniedException: User: {} is not authorized to perform: {} on resource: {} {}", who,
      action, resource, decision.reason);
}

struct World {
  const std::string& role_arn;
  const Scope& scope;
  State& state;
  const iam::Authoriser& authoriser;
};

// A member of the secret's JSON as text; strings as they are, all else as the agent's %v prints it.
Outcome json_key(const std::string& text, const std::string& key, std::string_view secret_arn) {
  Json document;
  try {
    document = formats::parse_json(text);
  } catch (const Error& error) {
    return no_secret(
        secret_arn,
        fmt::format("retrieved secret from Secrets Manager is not valid JSON: {}", error.what()));
  }
  const auto* value = document.find(key);
  if (value == nullptr)
    return no_value(
        fmt::format("execution resource retrieval failed: unable to retrieve secret from asm: "
                    "retrieved secret from Secrets Manager did not contain json key {}",
                    key));
  if (value->is_string()) return value->as_string();
  return value->is_null() ? "<nil>" : value->dump();
}

Outcome from_secrets_manager(const Arn& parsed, const World& world) {
  // secret:NAME or secret:NAME:json-key:version-stage:version-id
  auto parts = split(parsed.resource, ':');
  if (parts.size() != 2 && parts.size() != 5) {
    return no_value(
        "an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid "
        "ARN and try again.");
  }
  auto secret_arn = fmt::format("arn:{}:secretsmanager:{}:{}:secret:{}", parsed.partition,
                                parsed.region, parsed.account, parts[1]);
  parts.resize(5);
  auto secret = world.state.read([&](Tables& tables) {
    return find_secret(tables, {parsed.account, parsed.region}, secret_arn);
  });
  auto decision = world.authoriser.decide_for_role(world.role_arn, "secretsmanager:GetSecretValue",
                                                   secret ? secret->get_string("ARN") : secret_arn,
                                                   parsed.region);
  if (!decision.is_allowed)
    return no_secret(secret_arn, denied_text(world.role_arn, "secretsmanager:GetSecretValue",
                                             secret_arn, decision));
  try {
    if (!secret)
      throw Refusal("ResourceNotFoundException",
                    "Secrets Manager can't find the specified secret.");
    if (secret->contains("deleted"))
      throw Refusal(
          "InvalidRequestException",
          "You can't perform this operation on the secret because it was marked for deletion.");
    auto version = pick_version(*secret, parts[4], parts[3]);
    const auto* text = version.body.find("string");
    if (text == nullptr) return no_secret(secret_arn, "the secret has no string value");
    return parts[2].empty() ? Outcome(text->as_string())
                            : json_key(text->as_string(), parts[2], secret_arn);
  } catch (const Refusal& refusal) {
    return no_secret(secret_arn, refusal.what());
  }
}

Outcome from_parameter_store(const std::string& name, const Scope& scope, const World& world) {
  auto parameter_arn = ssm::parameter_arn(scope, name);
  auto decision = world.authoriser.decide_for_role(world.role_arn, "ssm:GetParameters",
                                                   parameter_arn, scope.region);
  if (!decision.is_allowed)
    return no_parameter(denied_text(world.role_arn, "ssm:GetParameters", parameter_arn, decision));
  auto value =
      world.state.read([&](Tables& tables) { return ssm::parameter_value(tables, scope, name); });
  if (!value) return no_parameter(fmt::format("invalid parameters: [{}]", name));
  return *value;
}

}  // namespace

Outcome resolve_value_from(std::string_view value_from, const std::string& execution_role_arn,
                           const Scope& task_scope, State& state, const iam::Authoriser& authoriser,
                           Time) {
  World world{execution_role_arn, task_scope, state, authoriser};
  if (execution_role_arn.empty())
    return no_value("the task definition has secrets but no execution role");
  if (!value_from.starts_with("arn:"))
    return from_parameter_store(std::string(value_from), task_scope, world);
  auto parsed = parse_arn(value_from);
  if (parsed && parsed->service == "secretsmanager") return from_secrets_manager(*parsed, world);
  if (parsed && parsed->service == "ssm" && parsed->resource.starts_with("parameter/")) {
    // The ARN has one slash between "parameter" and a name that may begin with a slash itself, or not.
    Scope scope{parsed->account, parsed->region};
    auto flat = parsed->resource.substr(10);
    auto path = "/" + flat;
    bool is_path = state.read(
        [&](Tables& tables) { return ssm::parameter_value(tables, scope, path).has_value(); });
    return from_parameter_store(is_path ? path : flat, scope, world);
  }
  return no_value(
      fmt::format("unsupported valueFrom '{}': it must be the ARN of a secret or a parameter, or a "
                  "parameter's name",
                  value_from));
}

}  // namespace slipway::cloud::secrets
