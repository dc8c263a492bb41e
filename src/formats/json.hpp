// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace slipway::formats {

/// A JSON value. Objects keep the order of their keys and hold each once. Whole numbers that fit
/// are int64, others double.
class Json final {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  enum class Kind {
    null,
    boolean,
    integer,
    real,
    string,
    array,
    object
  };  // the order of Value's alternatives

  Json() = default;
  Json(std::nullptr_t) {}  // NOLINT: values convert, so that object({{"a", 1}}) reads as JSON does
  template <std::same_as<bool> B>
  Json(B value) : value_(value) {}
  template <std::integral I>
  requires(!std::same_as<I, bool> && !std::same_as<I, char>) Json(I value) : value_(whole(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  /// An object; of a key given twice the last value counts.
  static Json object(std::initializer_list<std::pair<std::string, Json>> members = {});
  static Json array(std::initializer_list<Json> items = {});

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(value_.index()); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::null; }
  [[nodiscard]] bool is_bool() const { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_int() const { return kind() == Kind::integer; }
  [[nodiscard]] bool is_number() const { return kind() == Kind::integer || kind() == Kind::real; }
  [[nodiscard]] bool is_string() const { return kind() == Kind::string; }
  [[nodiscard]] bool is_array() const { return kind() == Kind::array; }
  [[nodiscard]] bool is_object() const { return kind() == Kind::object; }
  /// "null", "a boolean", "a number", "a string", "an array", "an object": for messages.
  [[nodiscard]] std::string_view kind_name() const;

  // The value as one kind. throws Error{bad_input} "expected a string, found a number"
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;  ///< also a double without a fraction that fits
  [[nodiscard]] double as_number() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& as_array() const;
  [[nodiscard]] Array& as_array();
  [[nodiscard]] const Object& as_object() const;
  [[nodiscard]] Object& as_object();

  /// The member, or nullptr when there is none or this is no object.
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] Json* find(std::string_view key);
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// The member. throws Error{bad_input} "missing 'key'"
  [[nodiscard]] const Json& at(std::string_view key) const;
  /// The item. throws Error{bad_input} when the array is shorter
  [[nodiscard]] const Json& at(std::size_t index) const;
  /// The member, added as null when absent; a null becomes an object first.
  Json& operator[](std::string_view key);
  /// Removes the member; false when there was none.
  bool erase(std::string_view key);
  /// Appends; a null becomes an array first.
  void push_back(Json item);
  /// Items of an array, members of an object, else 0.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }

  // A member with a default for absent and null. throws Error{bad_input} naming the key when it is
  // of another kind
  [[nodiscard]] std::string get_string(std::string_view key, std::string_view otherwise = "") const;
  [[nodiscard]] std::int64_t get_int(std::string_view key, std::int64_t otherwise = 0) const;
  [[nodiscard]] double get_number(std::string_view key, double otherwise = 0) const;
  [[nodiscard]] bool get_bool(std::string_view key, bool otherwise = false) const;
  /// The array's items, or none when absent or null.
  [[nodiscard]] const Array& get_array(std::string_view key) const;

  /// On one line without spaces. Strings that are not UTF-8 get U+FFFD for what is not; NaN and
  /// infinities print as null.
  [[nodiscard]] std::string dump() const;
  /// Over several lines, `indent` spaces a level, no line end after the last.
  [[nodiscard]] std::string pretty(int indent = 2) const;

  /// Objects are equal whatever the order of their keys; 1 equals 1.0.
  bool operator==(const Json& other) const;

 private:
  using Value =
      std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;
  template <typename I>
  static Value whole(I value) {
    if (std::in_range<std::int64_t>(value)) return static_cast<std::int64_t>(value);
    return static_cast<double>(value);
  }
  [[noreturn]] void expected(std::string_view what) const;

  Value value_;
};

/// Reads one JSON text (RFC 8259; nothing after it but white space). Of a key given twice the last
/// value counts, in the first one's place.
///   file    for the message
///   throws  Error{bad_input} "file:line:column: what"; nesting deeper than 200 is refused
Json parse_json(std::string_view text, std::string_view file = "");

/// `text` as a JSON string with its quotes.
std::string json_quote(std::string_view text);

}  // namespace slipway::formats
