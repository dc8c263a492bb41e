// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "workflow/expr.hpp"

namespace slipway::workflow {

/// A place in a workflow file; both 1-based, 0 when unknown.
struct Place {
  int line = 0;
  int column = 0;
  bool operator==(const Place&) const = default;
};

struct TemplateEntry;

/// A part of a workflow as written: literals, sequences, mappings, with expressions not evaluated yet.
struct Template {
  enum class Kind { absent, null, boolean, number, string, expression, sequence, mapping };
  Kind kind = Kind::absent;
  bool boolean = false;
  double number = 0;
  std::string
      text;  ///< of a string; of a literal the characters as written; of an expression its source
  Expression expression;               ///< mixed text ("a ${{ b }}") is one format() expression
  std::vector<Template> items;         ///< of a sequence
  std::vector<TemplateEntry> entries;  ///< of a mapping, in order
  Place place;

  [[nodiscard]] bool is_absent() const { return kind == Kind::absent; }
  [[nodiscard]] bool is_string() const { return kind == Kind::string; }
  [[nodiscard]] bool is_expression() const { return kind == Kind::expression; }
  [[nodiscard]] bool is_sequence() const { return kind == Kind::sequence; }
  [[nodiscard]] bool is_mapping() const { return kind == Kind::mapping; }
  [[nodiscard]] bool is_scalar() const { return kind >= Kind::null && kind <= Kind::expression; }
  /// The value of a key, in any case; an absent template when there is none.
  [[nodiscard]] const Template& operator[](std::string_view key) const;
  /// The same, moved out of here; its key then has an absent value.
  [[nodiscard]] Template take(std::string_view key);
  /// True when an expression is anywhere in it.
  [[nodiscard]] bool has_expression() const;
  /// True when an expression in it names the context.
  [[nodiscard]] bool uses_context(std::string_view name) const;
  /// A literal's text as the language prints it ("true", "3.1", ""); of an expression its source in `${{ }}`.
  [[nodiscard]] std::string literal() const;
};

struct TemplateEntry {
  Template key;  ///< a string, or an expression
  Template value;
  bool is_insert = false;  ///< `${{ insert }}: …`: the value's members stand here
};

/// Evaluates every expression in it. An absent template and null are null. `${{ insert }}` is spliced; of a key that comes
/// twice the later counts.
///   keys    of the objects that come out
///   throws  Error{failed} "(Line: 3, Col: 9): …", also when an inserted value is no mapping or a key no string
Value evaluate(const Template& value, const Contexts& contexts, KeyCase keys = KeyCase::ignored);
/// The same as text; `otherwise` when it is absent or null.
std::string evaluate_text(const Template& value, const Contexts& contexts,
                          std::string otherwise = "");

}  // namespace slipway::workflow
