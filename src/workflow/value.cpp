// SPDX-License-Identifier: Apache-2.0
#include "workflow/value.hpp"

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <unordered_map>

#include "workflow/unicode.hpp"

namespace slipway::workflow {

struct Value::ArrayBody {
  std::vector<Value> items;
};

struct Value::ObjectBody {
  std::vector<Member> members;
  KeyCase keys = KeyCase::ignored;
  std::unordered_map<std::string, std::size_t>
      index;  // by key as compared; only for larger objects

  [[nodiscard]] std::string compared(std::string_view key) const {
    return keys == KeyCase::ignored ? fold_case(key) : std::string(key);
  }
  [[nodiscard]] bool same(std::string_view a, std::string_view b) const {
    return keys == KeyCase::ignored ? compare_ignoring_case(a, b) == 0 : a == b;
  }
};

namespace {

constexpr std::size_t kIndexedFrom = 12;  // members; below it a linear search is faster
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const Value::Member* find_in(const Value::ObjectBody& body, std::string_view key);

}  // namespace

Value Value::array(std::vector<Value> items) {
  Value value;
  value.value_ = std::make_shared<const ArrayBody>(ArrayBody{std::move(items)});
  return value;
}

Value Value::object(std::vector<Member> members, KeyCase keys) {
  auto body = std::make_shared<ObjectBody>();
  body->keys = keys;
  bool indexed = members.size() >= kIndexedFrom;
  for (auto& member : members) {
    Member* known = nullptr;
    if (indexed) {
      auto [at, is_new] =
          body->index.try_emplace(body->compared(member.first), body->members.size());
      if (!is_new) known = &body->members[at->second];
    } else {
      for (auto& other : body->members) {
        if (body->same(other.first, member.first)) known = &other;
      }
    }
    if (known != nullptr) {
      known->second = std::move(member.second);
    } else {
      body->members.push_back(std::move(member));
    }
  }
  Value value;
  value.value_ = std::shared_ptr<const ObjectBody>(std::move(body));
  return value;
}

Value Value::from_json(const formats::Json& json) {
  using Kind = formats::Json::Kind;
  switch (json.kind()) {
    case Kind::null:
      return {};
    case Kind::boolean:
      return Value(json.as_bool());
    case Kind::integer:
    case Kind::real:
      return Value(json.as_number());
    case Kind::string:
      return Value(json.as_string());
    case Kind::array: {
      std::vector<Value> items;
      for (const auto& item : json.as_array()) items.push_back(from_json(item));
      return array(std::move(items));
    }
    case Kind::object:
      break;
  }
  const auto& object_json = json.as_object();
  std::vector<Member> members;
  for (const auto& [key, value] : object_json) members.emplace_back(key, from_json(value));
  auto made = object(members);
  if (made.members().size() == members.size()) return made;
  // Keys that differ by case only: here GitHub keeps the first.
  std::vector<Member> firsts;
  for (const auto& [key, ignored] : made.members()) {
    for (const auto& [name, value] : members) {
      if (compare_ignoring_case(name, key) != 0) continue;
      firsts.emplace_back(name, value);
      break;
    }
  }
  return object(std::move(firsts));
}

const std::vector<Value>& Value::items() const {
  return std::get<std::shared_ptr<const ArrayBody>>(value_)->items;
}

const std::vector<Value::Member>& Value::members() const {
  return std::get<std::shared_ptr<const ObjectBody>>(value_)->members;
}

namespace {

const Value::Member* find_in(const Value::ObjectBody& body, std::string_view key) {
  if (!body.index.empty()) {
    auto at = body.index.find(body.compared(key));
    return at == body.index.end() ? nullptr : &body.members[at->second];
  }
  for (const auto& member : body.members) {
    if (body.same(member.first, key)) return &member;
  }
  return nullptr;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  const auto* body = std::get_if<std::shared_ptr<const ObjectBody>>(&value_);
  if (body == nullptr) return nullptr;
  const auto* member = find_in(**body, key);
  return member == nullptr ? nullptr : &member->second;
}

Value Value::get(std::string_view key) const {
  const auto* value = find(key);
  return value == nullptr ? Value() : *value;
}

Value Value::with(std::string_view key, Value value) const {
  assert(is_null() || is_object());
  std::vector<Member> copy;
  KeyCase keys = KeyCase::ignored;
  if (const auto* body = std::get_if<std::shared_ptr<const ObjectBody>>(&value_)) {
    copy = (*body)->members;
    keys = (*body)->keys;
  }
  copy.emplace_back(std::string(key), std::move(value));
  return object(std::move(copy), keys);
}

bool Value::is_truthy() const {
  switch (kind()) {
    case Kind::null:
      return false;
    case Kind::boolean:
      return boolean();
    case Kind::number:
      return number() != 0 && !std::isnan(number());
    case Kind::string:
      return !string().empty();
    case Kind::array:
    case Kind::object:
      break;
  }
  return true;
}

double Value::to_number() const {
  switch (kind()) {
    case Kind::null:
      return 0;
    case Kind::boolean:
      return boolean() ? 1 : 0;
    case Kind::number:
      return number();
    case Kind::string:
      return parse_number(string());
    case Kind::array:
    case Kind::object:
      break;
  }
  return kNaN;
}

std::string Value::to_string() const {
  switch (kind()) {
    case Kind::null:
      return "";
    case Kind::boolean:
      return boolean() ? "true" : "false";
    case Kind::number:
      return format_number(number());
    case Kind::string:
      return string();
    case Kind::array:
    case Kind::object:
      break;
  }
  return std::string(kind_name());
}

std::string_view Value::kind_name() const {
  switch (kind()) {
    case Kind::null:
      return "Null";
    case Kind::boolean:
      return "Boolean";
    case Kind::number:
      return "Number";
    case Kind::string:
      return "String";
    case Kind::array:
      return "Array";
    case Kind::object:
      break;
  }
  return "Object";
}

formats::Json Value::to_json() const {
  switch (kind()) {
    case Kind::null:
      return nullptr;
    case Kind::boolean:
      return boolean();
    case Kind::number: {
      double n = number();
      if (std::floor(n) == n && std::fabs(n) < 9007199254740992.0)
        return static_cast<std::int64_t>(n);
      return n;
    }
    case Kind::string:
      return string();
    case Kind::array: {
      formats::Json::Array array_json;
      for (const auto& item : items()) array_json.push_back(item.to_json());
      return array_json;
    }
    case Kind::object:
      break;
  }
  formats::Json::Object object_json;
  for (const auto& [key, value] : members()) object_json.emplace_back(key, value.to_json());
  return object_json;
}

namespace {

// The shortest text that reads back as this finite number, laid out as ECMA-262 Number::toString does.
std::string shortest_text(double number) {
  char buffer[32];
  auto end = std::to_chars(std::begin(buffer), std::end(buffer), std::fabs(number),
                           std::chars_format::scientific)
                 .ptr;
  std::string_view text(static_cast<const char*>(buffer),
                        static_cast<std::size_t>(end - std::begin(buffer)));
  auto e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  auto exponent = text.substr(e + 1);
  if (exponent[0] == '+') exponent.remove_prefix(1);
  int power = 0;
  std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
  int point = power + 1;  // digits before the decimal point
  auto count = static_cast<int>(digits.size());
  std::string out = number < 0 ? "-" : "";
  if (point > 0 && point <= 21) {
    if (count <= point)
      return out + digits + std::string(static_cast<std::size_t>(point - count), '0');
    return out + digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
  }
  if (point > -6 && point <= 0)
    return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  out += digits[0];
  if (count > 1) out += "." + digits.substr(1);
  return out + "e" + (power < 0 ? "-" : "+") + std::to_string(std::abs(power));
}

// To 15 decimals, exact halves away from zero (ECMA-262 Number.prototype.toFixed).
double round_to_15_decimals(double number) {
  if (std::fabs(number) >= 8) {
    // Half of the last decimal is less than such a number can hold.
    return number;
  }
  double scaled = number * 65536;
  bool is_half = std::floor(scaled) == scaled && std::fmod(scaled, 2) != 0;
  if (is_half) number = std::nextafter(number, std::copysign(9.0, number));
  char text[40];
  auto length = std::snprintf(static_cast<char*>(text), sizeof text, "%.15f", number);
  double rounded = 0;
  std::from_chars(static_cast<const char*>(text), static_cast<const char*>(text) + length, rounded);
  return rounded;
}

}  // namespace

std::string format_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  number = round_to_15_decimals(number);
  return number == 0 ? "0" : shortest_text(number);
}

std::string format_number_g15(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == 0) return "0";
  char text[40];
  auto length = std::snprintf(static_cast<char*>(text), sizeof text, "%.15G", number);
  return {static_cast<const char*>(text), static_cast<std::size_t>(length)};
}

namespace {

void write_json(const Value& value, std::size_t level, std::string& out) {
  auto line = [&](std::size_t depth) {
    out += '\n';
    out.append(depth * 2, ' ');
  };
  switch (value.kind()) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::boolean:
      out += value.to_string();
      return;
    case Value::Kind::number:
      out += std::isfinite(value.number())
                 ? value.number() == 0 ? "0" : shortest_text(value.number())
                 : "null";
      return;
    case Value::Kind::string:
      out += formats::json_quote(value.string());
      return;
    case Value::Kind::array: {
      bool first = true;
      out += '[';
      for (const auto& item : value.items()) {
        if (!first) out += ',';
        first = false;
        line(level + 1);
        write_json(item, level + 1, out);
      }
      if (!first) line(level);
      out += ']';
      return;
    }
    case Value::Kind::object:
      break;
  }
  bool first = true;
  out += '{';
  for (const auto& [key, member] : value.members()) {
    if (!first) out += ',';
    first = false;
    line(level + 1);
    out += formats::json_quote(key);
    out += ": ";
    write_json(member, level + 1, out);
  }
  if (!first) line(level);
  out += '}';
}

// Both sides of a comparison after coercion: of one kind, or not comparable.
struct Coerced {
  Value left;
  Value right;
};

Coerced coerce(const Value& left, const Value& right) {
  using Kind = Value::Kind;
  auto weak = [](Kind kind) { return kind == Kind::null || kind == Kind::boolean; };
  Coerced both{left, right};
  while (both.left.kind() != both.right.kind()) {
    Kind a = both.left.kind();
    Kind b = both.right.kind();
    if (a == Kind::number && b == Kind::string) {
      both.right = Value(both.right.to_number());
    } else if ((a == Kind::string && b == Kind::number) || weak(a)) {
      both.left = Value(both.left.to_number());
    } else if (weak(b)) {
      both.right = Value(both.right.to_number());
    } else {
      break;
    }
  }
  return both;
}

// <0, 0, >0; nothing when the two have no order.
std::optional<int> order_of(const Value& a, const Value& b) {
  auto [left, right] = coerce(a, b);
  if (left.kind() != right.kind()) return std::nullopt;
  if (left.is_number()) {
    if (std::isnan(left.number()) || std::isnan(right.number())) return std::nullopt;
    return left.number() < right.number() ? -1 : left.number() > right.number() ? 1 : 0;
  }
  if (left.is_string()) return compare_ignoring_case(left.string(), right.string());
  if (left.is_boolean())
    return static_cast<int>(left.boolean()) - static_cast<int>(right.boolean());
  return std::nullopt;
}

}  // namespace

std::string Value::to_json_text() const {
  std::string text;
  write_json(*this, 0, text);
  return text;
}

bool Value::equals(const Value& other) const {
  auto [left, right] = coerce(*this, other);
  if (left.kind() != right.kind()) return false;
  if (left.is_null()) return true;
  if (left.is_array() || left.is_object()) return left.value_ == right.value_;
  return order_of(left, right) == 0;
}

bool Value::is_less(const Value& other) const {
  auto order = order_of(*this, other);
  return order && *order < 0;
}

bool Value::is_greater(const Value& other) const {
  auto order = order_of(*this, other);
  return order && *order > 0;
}

bool Value::is_identical(const Value& other) const {
  if (kind() != other.kind()) return false;
  if (is_array()) {
    if (items().size() != other.items().size()) return false;
    for (std::size_t i = 0; i < items().size(); ++i) {
      if (!items()[i].is_identical(other.items()[i])) return false;
    }
    return true;
  }
  if (is_object()) {
    if (members().size() != other.members().size()) return false;
    for (std::size_t i = 0; i < members().size(); ++i) {
      if (members()[i].first != other.members()[i].first) return false;
      if (!members()[i].second.is_identical(other.members()[i].second)) return false;
    }
    return true;
  }
  if (is_number() && std::isnan(number()) && std::isnan(other.number())) return true;
  return value_ == other.value_;
}

namespace {

std::optional<double> parse_radix(std::string_view digits, int base) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t whole = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), whole, base);
  if (end != digits.data() + digits.size()) return std::nullopt;
  // 32 bits, two's complement: GitHub's own choice.
  if (error != std::errc() || whole > 0xFFFFFFFFU) return kNaN;
  return static_cast<double>(static_cast<std::int32_t>(static_cast<std::uint32_t>(whole)));
}

bool is_decimal(std::string_view text) {
  bool digit = false;
  std::size_t at = 0;
  auto digits = [&] {
    std::size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at > from;
  };
  digit = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    digit = digits() || digit;
  }
  if (!digit) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

// True when a decimal that does not fit a double is too large, rather than too close to 0.
bool is_huge(std::string_view text) {
  auto e = text.find_first_of("eE");
  if (e != std::string_view::npos) return text.find('-', e) == std::string_view::npos;
  return text.substr(0, text.find('.')).find_first_of("123456789") != std::string_view::npos;
}

}  // namespace

double parse_number(std::string_view text) {
  text = trim_unicode(text);
  if (text.empty()) return 0;
  if (text.starts_with("0x")) return parse_radix(text.substr(2), 16).value_or(kNaN);
  if (text.starts_with("0o")) return parse_radix(text.substr(2), 8).value_or(kNaN);
  double sign = 1;
  if (text[0] == '-' || text[0] == '+') {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text == "Infinity") return sign * std::numeric_limits<double>::infinity();
  if (!is_decimal(text)) return kNaN;
  double number = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec == std::errc::result_out_of_range) {
    number = is_huge(text) ? std::numeric_limits<double>::infinity() : 0;
  }
  return sign * number;
}

int compare_ignoring_case(std::string_view a, std::string_view b) {
  // UTF-16 order: surrogates (of what is past U+FFFF) sort before U+E000.
  auto order = [](char32_t c) { return c >= 0x10000 ? 0xD800U + ((c - 0x10000) >> 10U) : c; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    auto x = static_cast<unsigned char>(a[i]);
    auto y = static_cast<unsigned char>(b[j]);
    if (x == y &&
        x < 0x80) {  // most of what is compared is the same ASCII text, or differs at once
      ++i;
      ++j;
      continue;
    }
    char32_t left = to_upper_simple(next_code_point(a, i));
    char32_t right = to_upper_simple(next_code_point(b, j));
    if (left == right) continue;
    auto first = order(left);
    auto second = order(right);
    if (first != second) return first < second ? -1 : 1;
    return left < right ? -1 : 1;
  }
  return i < a.size() ? 1 : j < b.size() ? -1 : 0;
}

std::string fold_case(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  for (std::size_t at = 0; at < text.size();)
    append_utf8(folded, to_upper_simple(next_code_point(text, at)));
  return folded;
}

}  // namespace slipway::workflow
