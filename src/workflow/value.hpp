// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "formats/json.hpp"

namespace slipway::workflow {

/// How an object finds its keys: everything but the `env` context of a Linux job ignores case.
enum class KeyCase { ignored, exact };

/// A value of GitHub's expression language. Copies of an array or object share one body (they are the same reference to
/// `==`), which is never changed once made.
///   source  runner, src/Sdk/Expressions/EvaluationResult.cs
class Value final {
 public:
  enum class Kind { null, boolean, number, string, array, object };
  using Member = std::pair<std::string, Value>;
  struct ArrayBody;
  struct ObjectBody;

  Value() = default;
  Value(bool value) : value_(value) {}  // NOLINT: values convert
  Value(int value) : value_(static_cast<double>(value)) {}
  Value(double value) : value_(value) {}
  Value(const char* value) : value_(std::string(value)) {}
  Value(std::string value) : value_(std::move(value)) {}
  Value(std::string_view value) : value_(std::string(value)) {}
  static Value array(std::vector<Value> items);
  /// Of a key given twice (in the object's own sense) the last value counts, in the first one's place.
  static Value object(std::vector<Member> members, KeyCase keys = KeyCase::ignored);
  static Value from_json(const formats::Json& json);

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(value_.index()); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::null; }
  [[nodiscard]] bool is_boolean() const { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_number() const { return kind() == Kind::number; }
  [[nodiscard]] bool is_string() const { return kind() == Kind::string; }
  [[nodiscard]] bool is_array() const { return kind() == Kind::array; }
  [[nodiscard]] bool is_object() const { return kind() == Kind::object; }
  /// Neither array nor object.
  [[nodiscard]] bool is_primitive() const { return kind() < Kind::array; }

  // The value of that kind; assert otherwise.
  [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
  [[nodiscard]] double number() const { return std::get<double>(value_); }
  [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
  [[nodiscard]] const std::vector<Value>& items() const;
  [[nodiscard]] const std::vector<Member>& members() const;
  /// The member by the object's own comparison; nullptr when there is none or this is no object.
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// The member, or null. Chains: github.get("event").get("ref").
  [[nodiscard]] Value get(std::string_view key) const;
  /// A copy with one member set (added at the end, or replaced); null becomes an object.
  [[nodiscard]] Value with(std::string_view key, Value value) const;

  // Coercions of the language.
  [[nodiscard]] bool is_truthy() const;    ///< false: null, false, ±0, NaN, ''
  [[nodiscard]] double to_number() const;  ///< NaN for arrays and objects
  [[nodiscard]] std::string to_string()
      const;  ///< "Array", "Object"; numbers by format_number(); null ''
  [[nodiscard]] formats::Json to_json() const;  ///< whole numbers as integers
  /// toJSON(): two spaces a level.
  [[nodiscard]] std::string to_json_text() const;
  /// "Null", "Boolean", "Number", "String", "Array", "Object".
  [[nodiscard]] std::string_view kind_name() const;

  /// `==` of the language: coercing, ignoring case; arrays and objects by reference.
  [[nodiscard]] bool equals(const Value& other) const;
  /// `<` and `>` of the language; NaN, arrays and objects are never less.
  [[nodiscard]] bool is_less(const Value& other) const;
  [[nodiscard]] bool is_greater(const Value& other) const;
  /// Same kind and, deeply, the same content (for tests and change detection; not the language's `==`).
  [[nodiscard]] bool is_identical(const Value& other) const;

 private:
  std::variant<std::monostate, bool, double, std::string, std::shared_ptr<const ArrayBody>,
               std::shared_ptr<const ObjectBody>>
      value_;  // bodies are shared by all copies of a value: the language compares them by reference
};

/// A string as a number: trimmed; decimal, 0x, 0o, Infinity; "" is 0; NaN when it is none.
double parse_number(std::string_view text);
/// A number as an expression prints it: as JavaScript does, after rounding to 15 decimals ("0.3", "1e+21", "-Infinity"; -0
/// is "0"). Up to 15 significant digits this is .NET's G15 as well.
///   source  @actions/expressions, data/number.ts
std::string format_number(double number);
/// A number in a workflow file where text is expected: .NET's G15 ("1.58710667238376E+18", "3.1").
std::string format_number_g15(double number);
/// Ordinal comparison after simple upper-casing, as .NET's OrdinalIgnoreCase: <0, 0, >0.
int compare_ignoring_case(std::string_view a, std::string_view b);
/// Simple upper-casing of each code point (UTF-8 in and out).
std::string fold_case(std::string_view text);

}  // namespace slipway::workflow
