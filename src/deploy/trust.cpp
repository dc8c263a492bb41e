// SPDX-License-Identifier: Apache-2.0
#include "deploy/trust.hpp"

#include <algorithm>
#include <set>

#include "base/percent.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// A member that may be one value or a list of them.
Json::Array all_of(const Json* value) {
  if (!value) return {};
  return value->is_array() ? value->as_array() : Json::Array{*value};
}

bool has_text(const Json* value, const std::string& text) {
  auto all = all_of(value);
  return std::any_of(all.begin(), all.end(),
                     [&](const Json& one) { return one.is_string() && one.as_string() == text; });
}

bool lets_in(const Json& statement, const std::string& subject) {
  const Json* condition = statement.find("Condition");
  if (statement.get_string("Effect") != "Allow" || !condition) return false;
  for (const auto& [op, keys] : condition->as_object()) {
    if (!op.ends_with("StringEquals") && !op.ends_with("StringLike")) continue;
    for (const auto& pattern : all_of(keys.find("token.actions.githubusercontent.com:sub"))) {
      if (op.ends_with("StringLike") ? matches_wildcard(pattern.as_string(), subject)
                                     : pattern.as_string() == subject)
        return true;
    }
  }
  return false;
}

bool is_same(const Json* one, const Json* other) {
  return one == nullptr || other == nullptr ? one == other : *one == *other;
}

bool covers(const Json& held, const Json& wanted) {
  for (const char* key : {"Effect", "Action", "Condition"}) {
    if (!is_same(held.find(key), wanted.find(key))) return false;
  }
  auto resources = all_of(wanted.find("Resource"));
  return std::all_of(resources.begin(), resources.end(), [&](const Json& one) {
    return has_text(held.find("Resource"), one.as_string()) || has_text(held.find("Resource"), "*");
  });
}

}  // namespace

Json trust_of(const Json& role) {
  std::string text = role.get_string("AssumeRolePolicyDocument");
  if (!text.starts_with('{')) text = percent_decoded(text);  // as IAM answers
  return formats::parse_json(text, "trust policy");
}

bool trusts_subject(const Json& trust, const std::string& subject) {
  auto statements = all_of(trust.find("Statement"));
  return std::any_of(statements.begin(), statements.end(),
                     [&](const Json& one) { return lets_in(one, subject); });
}

bool trusts_service(const Json& trust, const std::string& service) {
  auto statements = all_of(trust.find("Statement"));
  return std::any_of(statements.begin(), statements.end(), [&](const Json& one) {
    const Json* principal = one.find("Principal");
    return principal && principal->is_object() && has_text(principal->find("Service"), service);
  });
}

Json statements_beyond(const Json& policy, const Json& held) {
  Json beyond = policy;
  auto present = all_of(held.find("Statement"));
  auto wanted = all_of(policy.find("Statement"));
  std::erase_if(wanted, [&](const Json& one) {
    return std::any_of(present.begin(), present.end(),
                       [&](const Json& other) { return covers(other, one); });
  });
  beyond["Statement"] = std::move(wanted);
  return beyond;
}

std::vector<std::string> actions_of(const Json& policy) {
  std::set<std::string> actions;
  for (const auto& statement : all_of(policy.find("Statement"))) {
    for (const auto& action : all_of(statement.find("Action"))) actions.insert(action.as_string());
  }
  return {actions.begin(), actions.end()};
}

Json with_statements(Json policy, const Json& more) {
  auto statements = all_of(policy.find("Statement"));
  for (auto& one : all_of(more.find("Statement"))) statements.push_back(std::move(one));
  policy["Statement"] = std::move(statements);
  return policy;
}

}  // namespace slipway::deploy
