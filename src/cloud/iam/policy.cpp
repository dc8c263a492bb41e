// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::iam {
namespace {

using formats::Json;

[[noreturn]] void malformed(const std::string& message) {
  throw Refusal("MalformedPolicyDocument", message);
}

std::string scalar(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_bool() || value.is_number()) return value.dump();
  malformed(
      fmt::format("Syntax errors in policy: a string was expected, not {}.", value.kind_name()));
}

std::vector<std::string> one_or_many(const Json& value, std::string_view element) {
  std::vector<std::string> found;
  if (value.is_array()) {
    for (const auto& each : value.as_array()) found.push_back(scalar(each));
    if (found.empty())
      malformed(fmt::format("Syntax errors in policy: {} must not be empty.", element));
  } else {
    found.push_back(scalar(value));
  }
  return found;
}

Names read_names(const Json& statement, const std::string& name) {
  const auto* plain = statement.find(name);
  const auto* negated = statement.find("Not" + name);
  if (plain != nullptr && negated != nullptr)
    malformed(fmt::format("Syntax errors in policy: {0} and Not{0} exclude each other.", name));
  if (plain != nullptr) return {one_or_many(*plain, name), false};
  if (negated != nullptr) return {one_or_many(*negated, "Not" + name), true};
  return {};
}

void read_principal(const Json& statement, PolicyKind kind, Statement& read) {
  const auto* principal = statement.find("Principal");
  if (principal == nullptr) {
    principal = statement.find("NotPrincipal");
    read.not_principal = principal != nullptr;
  }
  if (kind == PolicyKind::identity) {
    if (principal != nullptr) malformed("Policy document should not specify a principal.");
    return;
  }
  if (principal == nullptr) malformed("Missing required field Principal");
  if (principal->is_string()) {
    if (principal->as_string() != "*")
      malformed(fmt::format("Invalid principal in policy: \"{}\"", principal->as_string()));
    read.principals["*"] = {"*"};
    return;
  }
  if (!principal->is_object() || principal->empty()) malformed("Invalid principal in policy");
  for (const auto& [kind_name, values] : principal->as_object()) {
    if (kind_name != "AWS" && kind_name != "Federated" && kind_name != "Service" &&
        kind_name != "CanonicalUser") {
      malformed(fmt::format("Invalid principal in policy: \"{}\"", kind_name));
    }
    read.principals[kind_name] = one_or_many(values, "Principal");
  }
}

void read_conditions(const Json& statement, Statement& read) {
  const auto* block = statement.find("Condition");
  if (block == nullptr) return;
  if (!block->is_object()) malformed("Syntax errors in policy: Condition must be an object.");
  for (const auto& [name, lines] : block->as_object()) {
    auto condition = parse_operator(name);
    if (!condition) malformed(fmt::format("Invalid condition operator: {}", name));
    if (!lines.is_object())
      malformed(fmt::format("Syntax errors in policy: {} must be an object.", name));
    for (const auto& [key, values] : lines.as_object()) {
      condition->key = key;
      condition->values = values.is_array() && values.empty() ? std::vector<std::string>{}
                                                              : one_or_many(values, key);
      read.conditions.push_back(*condition);
    }
  }
}

Statement read_statement(const Json& statement, PolicyKind kind) {
  if (!statement.is_object()) malformed("Syntax errors in policy: a Statement must be an object.");
  static constexpr std::array<std::string_view, 9> kElements = {
      "Sid",         "Effect",    "Action",       "NotAction", "Resource",
      "NotResource", "Principal", "NotPrincipal", "Condition"};
  for (const auto& [name, value] : statement.as_object()) {
    if (std::find(kElements.begin(), kElements.end(), name) == kElements.end()) {
      malformed(fmt::format("Syntax errors in policy: unknown element {}.", name));
    }
  }
  Statement read;
  if (const auto* sid = statement.find("Sid")) read.sid = scalar(*sid);
  const auto* effect = statement.find("Effect");
  if (effect == nullptr || !effect->is_string()) malformed("Missing required field Effect");
  if (effect->as_string() != "Allow" && effect->as_string() != "Deny")
    malformed(fmt::format("Invalid effect: {}", effect->as_string()));
  read.is_allow = effect->as_string() == "Allow";
  read.actions = read_names(statement, "Action");
  if (read.actions.patterns.empty()) malformed("Missing required field Action");
  for (const auto& action : read.actions.patterns) {
    if (action != "*" && action.find(':') == std::string::npos)
      malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
  }
  read.resources = read_names(statement, "Resource");
  if (kind == PolicyKind::identity && read.resources.patterns.empty())
    malformed("Policy statement must contain resources.");
  if (kind == PolicyKind::trust && !read.resources.patterns.empty())
    malformed("Has prohibited field Resource");
  read_principal(statement, kind, read);
  read_conditions(statement, read);
  return read;
}

bool any_matches(const std::vector<std::string>& patterns, const std::string& text,
                 const Context& context, bool ignoring_case) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    auto expanded = expand_variables(pattern, context);
    return expanded && matches_pattern(*expanded, text, ignoring_case);
  });
}

bool speaks_of(const Names& names, const std::string& text, const Context& context,
               bool ignoring_case) {
  return any_matches(names.patterns, text, context, ignoring_case) != names.is_negated;
}

bool names_principal(const Statement& statement, const Request& request) {
  if (statement.principals.empty()) return true;  // identity policy
  bool named = false;
  for (const auto& [kind, values] : statement.principals) {
    bool is_kind = kind == "*" || kind == request.principal_kind;
    if (is_kind && std::find(values.begin(), values.end(), "*") != values.end()) named = true;
    if (kind != request.principal_kind) continue;
    for (const auto& name : request.principal_names) {
      if (std::find(values.begin(), values.end(), name) != values.end()) named = true;
    }
  }
  return named != statement.not_principal;
}

bool is_about(const Statement& statement, const Request& request) {
  if (!speaks_of(statement.actions, request.action, request.context, true)) return false;
  if (!statement.resources.patterns.empty() &&
      !speaks_of(statement.resources, request.resource, request.context, false))
    return false;
  return names_principal(statement, request);
}

bool applies(const Statement& statement, const Request& request) {
  return is_about(statement, request) &&
         std::all_of(
             statement.conditions.begin(), statement.conditions.end(),
             [&](const Condition& condition) { return is_met(condition, request.context); });
}

}  // namespace

Policy parse_policy(std::string_view text, PolicyKind kind) {
  Json document;
  try {
    document = formats::parse_json(text);
  } catch (const Error& error) {
    malformed(fmt::format("Syntax errors in policy: {}.", error.what()));
  }
  if (!document.is_object()) malformed("Syntax errors in policy: it must be an object.");
  for (const auto& [name, value] : document.as_object()) {
    if (name != "Version" && name != "Id" && name != "Statement")
      malformed(fmt::format("Syntax errors in policy: unknown element {}.", name));
  }
  Policy policy;
  if (const auto* version = document.find("Version")) {
    policy.version = scalar(*version);
    if (policy.version != "2012-10-17" && policy.version != "2008-10-17")
      malformed("The policy must contain a valid version string");
  }
  const auto* statements = document.find("Statement");
  if (statements == nullptr) malformed("Syntax errors in policy: Missing required field Statement");
  if (statements->is_array()) {
    for (const auto& statement : statements->as_array())
      policy.statements.push_back(read_statement(statement, kind));
  } else {
    policy.statements.push_back(read_statement(*statements, kind));
  }
  if (policy.statements.empty()) malformed("Syntax errors in policy: Statement must not be empty.");
  return policy;
}

Verdict evaluate(const Policy& policy, const Request& request) {
  Verdict verdict;
  for (const auto& statement : policy.statements) {
    if (statement.is_allow && verdict.effect == Effect::allow) continue;
    if (!applies(statement, request)) continue;
    verdict = {statement.is_allow ? Effect::allow : Effect::deny, statement.sid};
    if (verdict.effect == Effect::deny) return verdict;
  }
  return verdict;
}

std::string explain(const Policy& policy, const Request& request) {
  std::string why;
  for (const auto& statement : policy.statements) {
    if (!statement.is_allow) {
      if (applies(statement, request))
        return fmt::format("an explicit deny applies{}",
                           statement.sid.empty() ? "" : " (" + statement.sid + ")");
      continue;
    }
    if (!is_about(statement, request)) continue;
    for (const auto& condition : statement.conditions) {
      if (is_met(condition, request.context)) continue;
      auto found = request.context.find(condition.key);
      auto have = found == request.context.end()
                      ? std::string("is absent")
                      : fmt::format("is '{}'", join(found->second, "', '"));
      why += fmt::format("{}{} {}: the token's value {}, the policy wants '{}'",
                         why.empty() ? "" : "; ", condition.written, condition.key, have,
                         join(condition.values, "' or '"));
    }
  }
  return why.empty() ? "no statement of the trust policy allows this action for this principal"
                     : why;
}

}  // namespace slipway::cloud::iam
