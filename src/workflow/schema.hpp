// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/expr.hpp"

namespace slipway::workflow {

/// What may stand at one place of a workflow or action file.
struct Definition {
  enum class Kind { null, boolean, number, string, sequence, mapping, one_of, any };
  struct Property {
    std::string key;
    const Definition* type = nullptr;  // owned by the schema
    bool required = false;
  };
  Kind kind = Kind::string;
  bool non_empty = false;                 ///< string
  std::vector<std::string> words;         ///< string: the only ones allowed; empty: any
  const Definition* item = nullptr;       ///< sequence
  std::vector<Property> properties;       ///< mapping
  const Definition* loose_key = nullptr;  ///< mapping: keys beyond the properties
  const Definition* loose_value = nullptr;
  std::vector<const Definition*> choices;  ///< one_of
  Availability available;                  ///< added to what is available around it
  [[nodiscard]] const Property* find(std::string_view key) const;
};

/// Definitions by name.
///
/// They are written as lines `name @context… function(min,max) = type`, where type is one of
///   string string! number boolean null any   a name of another line
///   <word word>            a string that is one of these
///   [type]                 a sequence
///   {key: type, key!: type, *: type}   a mapping; ! is required, * stands for any other key (non-empty)
///   type | type            either
/// and `&name = context…` names a list of contexts and functions for `@name`. `#` starts a comment.
class Schema final {
 public:
  /// throws Error{bad_input} naming the line: only a wrong text in this program does that
  explicit Schema(std::string_view text);
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  [[nodiscard]] const Definition& at(std::string_view name) const;

 private:
  class Builder;
  std::map<std::string, Definition, std::less<>> named_;
  std::vector<std::unique_ptr<Definition>> inner_;
};

/// The whole syntax of .github/workflows/*.yml, from "workflow" on.
const Schema& workflow_schema();
/// action.yml, from "action" on.
const Schema& action_schema();

}  // namespace slipway::workflow
