// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/iam/condition.hpp"

namespace slipway::cloud::iam {

/// Names a policy statement speaks of, or leaves out when negated (NotAction, NotResource, NotPrincipal).
struct Names {
  std::vector<std::string> patterns;
  bool is_negated = false;
};

struct Statement {
  std::string sid;
  bool is_allow = false;
  Names actions;
  Names resources;  ///< empty in trust policies
  /// "AWS", "Federated", "Service", "CanonicalUser" → values; {"*", {"*"}} for everyone. Trust and resource policies only.
  std::map<std::string, std::vector<std::string>> principals;
  bool not_principal = false;
  std::vector<Condition> conditions;  ///< all must be met
};

struct Policy {
  std::string version = "2008-10-17";
  std::vector<Statement> statements;
};

/// What is asked of a policy.
struct Request {
  std::string action;
  std::string resource = "*";
  Context context;
  // For trust and resource policies: who asks.
  std::string principal_kind;  ///< "AWS", "Federated", "Service"
  std::vector<std::string>
      principal_names;  ///< every name that stands for the caller: its ARN, its role's, its account
};

enum class Effect { none, allow, deny };

/// identity and session: no Principal, a Resource; trust: a Principal, no Resource; resource: both.
enum class PolicyKind { identity, trust, resource };

/// Reads and checks a policy document.
///   throws  Refusal MalformedPolicyDocument
///   source  IAM User Guide, "Grammar of the IAM JSON policy language"
Policy parse_policy(std::string_view text, PolicyKind kind);

/// deny when a Deny statement applies, else allow when an Allow statement does.
struct Verdict {
  Effect effect = Effect::none;
  std::string sid;  ///< of the statement that decided
};
Verdict evaluate(const Policy& policy, const Request& request);
/// Which condition of which statement stood in the way, for people: "StringEquals token…:sub: 'repo:a' is not 'repo:b'".
std::string explain(const Policy& policy, const Request& request);

}  // namespace slipway::cloud::iam
