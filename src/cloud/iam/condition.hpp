// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.hpp"

namespace slipway::cloud::iam {

/// Orders ASCII text ignoring case: condition keys and actions do not tell capitals apart.
struct LessIgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

/// The condition keys of a request and their values.
using Context = std::map<std::string, std::vector<std::string>, LessIgnoringCase>;

/// One line of a Condition block: an operator, a key and the values any of which may match.
struct Condition {
  enum class Set { none, any, all };
  std::string written;  ///< the operator as the policy has it: "ForAnyValue:StringLikeIfExists"
  std::string base;     ///< "StringLike"
  Set set = Set::none;
  bool if_exists = false;
  std::string key;
  std::vector<std::string> values;
  bool operator==(const Condition&) const = default;
};

/// Reads an operator's name; nothing when IAM has no such operator.
std::optional<Condition> parse_operator(std::string_view written);
/// True when the condition is met.
///   source  IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multi-valued context keys"
bool is_met(const Condition& condition, const Context& context);

/// Replaces policy variables `${key}` and `${key, 'default'}` by the context's single value; `${*}`, `${?}` and `${$}` stand for
/// the characters themselves, which then match literally: they come out as "\x01", "\x02" and "$".
///   returns  nothing when a variable has no value
std::optional<std::string> expand_variables(std::string_view text, const Context& context);
/// `*` and `?` as wildcards, everything else literally, after expand_variables().
bool matches_pattern(std::string_view pattern, std::string_view text, bool ignoring_case = false);

}  // namespace slipway::cloud::iam
