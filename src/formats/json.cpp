// SPDX-License-Identifier: Apache-2.0
#include "formats/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"

namespace slipway::formats {
namespace {

constexpr std::array<std::string_view, 7> kKindNames = {
    "null", "a boolean", "a number", "a number", "a string", "an array", "an object"};

/// Length of the valid UTF-8 sequence at the front of `text` (RFC 3629: no surrogates, no overlong
/// forms); 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void print_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
}

/// ASCII that stands for itself inside quotes.
bool is_plain(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

void print_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      length = 1;
    } else if (length == 1) {
      print_escape(out, text[0]);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void print_real(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
  } else {
    fmt::format_to(std::back_inserter(out), "{}",
                   value == 0 ? 0.0 : value);  // no "-0": it would read back as 0
  }
}

void line_break(std::string& out, int indent, int level) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(level), ' ');
}

void print(std::string& out, const Json& value, int indent, int level) {
  switch (value.kind()) {
    case Json::Kind::null:
      out += "null";
      return;
    case Json::Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Json::Kind::integer:
      fmt::format_to(std::back_inserter(out), "{}", value.as_int());
      return;
    case Json::Kind::real:
      print_real(out, value.as_number());
      return;
    case Json::Kind::string:
      print_string(out, value.as_string());
      return;
    case Json::Kind::array: {
      out += '[';
      bool first = true;
      for (const Json& item : value.as_array()) {
        if (!std::exchange(first, false)) out += ',';
        line_break(out, indent, level + 1);
        print(out, item, indent, level + 1);
      }
      if (!first) line_break(out, indent, level);
      out += ']';
      return;
    }
    case Json::Kind::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : value.as_object()) {
        if (!std::exchange(first, false)) out += ',';
        line_break(out, indent, level + 1);
        print_string(out, key);
        out += indent < 0 ? ":" : ": ";
        print(out, member, indent, level + 1);
      }
      if (!first) line_break(out, indent, level);
      out += '}';
      return;
    }
  }
}

}  // namespace

Json Json::object(std::initializer_list<std::pair<std::string, Json>> members) {
  Json made{Object{}};
  for (const auto& [key, value] : members) made[key] = value;
  return made;
}

Json Json::array(std::initializer_list<Json> items) { return Json{Array(items)}; }

std::string_view Json::kind_name() const { return kKindNames.at(value_.index()); }

void Json::expected(std::string_view what) const {
  fail(Fault::bad_input, "expected {}, found {}", what, kind_name());
}

bool Json::as_bool() const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  expected("a boolean");
}

std::int64_t Json::as_int() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) {
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    if (*value >= -kLimit && *value < kLimit && std::trunc(*value) == *value)
      return static_cast<std::int64_t>(*value);
    fail(Fault::bad_input, "expected a whole number, found {}", *value);
  }
  expected("a whole number");
}

double Json::as_number() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  expected("a number");
}

const std::string& Json::as_string() const {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  expected("a string");
}

const Json::Array& Json::as_array() const {
  if (const auto* value = std::get_if<Array>(&value_)) return *value;
  expected("an array");
}

Json::Array& Json::as_array() {
  if (auto* value = std::get_if<Array>(&value_)) return *value;
  expected("an array");
}

const Json::Object& Json::as_object() const {
  if (const auto* value = std::get_if<Object>(&value_)) return *value;
  expected("an object");
}

Json::Object& Json::as_object() {
  if (auto* value = std::get_if<Object>(&value_)) return *value;
  expected("an object");
}

const Json* Json::find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) return &value;
  }
  return nullptr;
}

Json* Json::find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).find(key)); }

const Json& Json::at(std::string_view key) const {
  if (!is_object()) expected(fmt::format("an object with '{}'", key));
  if (const Json* value = find(key)) return *value;
  fail(Fault::bad_input, "missing '{}'", key);
}

const Json& Json::at(std::size_t index) const {
  const Array& items = as_array();
  if (index >= items.size())
    fail(Fault::bad_input, "no item {} in an array of {}", index, items.size());
  return items[index];
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  if (Json* value = find(key)) return *value;
  return as_object().emplace_back(std::string(key), Json{}).second;
}

bool Json::erase(std::string_view key) {
  auto* object = std::get_if<Object>(&value_);
  return object != nullptr &&
         std::erase_if(*object, [&](const auto& member) { return member.first == key; }) > 0;
}

void Json::push_back(Json item) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(item));
}

std::size_t Json::size() const {
  if (const auto* items = std::get_if<Array>(&value_)) return items->size();
  if (const auto* members = std::get_if<Object>(&value_)) return members->size();
  return 0;
}

namespace {

/// `read(member)` with the key named in the error, or `otherwise` for absent and null.
template <typename Value, typename Read>
Value get_or(const Json& object, std::string_view key, Value otherwise, Read read) {
  const Json* member = object.find(key);
  if (member == nullptr || member->is_null()) return otherwise;
  return while_doing(fmt::format("'{}'", key), [&]() -> Value { return read(*member); });
}

}  // namespace

std::string Json::get_string(std::string_view key, std::string_view otherwise) const {
  return get_or(*this, key, std::string(otherwise),
                [](const Json& value) { return value.as_string(); });
}

std::int64_t Json::get_int(std::string_view key, std::int64_t otherwise) const {
  return get_or(*this, key, otherwise, [](const Json& value) { return value.as_int(); });
}

double Json::get_number(std::string_view key, double otherwise) const {
  return get_or(*this, key, otherwise, [](const Json& value) { return value.as_number(); });
}

bool Json::get_bool(std::string_view key, bool otherwise) const {
  return get_or(*this, key, otherwise, [](const Json& value) { return value.as_bool(); });
}

const Json::Array& Json::get_array(std::string_view key) const {
  static const Array kNone;
  return *get_or(*this, key, &kNone, [](const Json& value) { return &value.as_array(); });
}

std::string Json::dump() const {
  std::string out;
  print(out, *this, -1, 0);
  return out;
}

std::string Json::pretty(int indent) const {
  std::string out;
  print(out, *this, indent, 0);
  return out;
}

bool Json::operator==(const Json& other) const {
  if (is_number() && other.is_number() && kind() != other.kind())
    return as_number() == other.as_number();
  if (!is_object() || !other.is_object()) return value_ == other.value_;
  return size() == other.size() && std::ranges::all_of(as_object(), [&](const auto& member) {
           const Json* counterpart = other.find(member.first);
           return counterpart != nullptr && member.second == *counterpart;
         });
}

std::string json_quote(std::string_view text) {
  std::string out;
  print_string(out, text);
  return out;
}

}  // namespace slipway::formats
