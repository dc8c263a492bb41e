// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "formats/yaml.hpp"

namespace slipway::formats {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

std::size_t digits_at(std::string_view text, std::size_t from) {
  std::size_t end = from;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - from;
}

std::optional<Json> read_null(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Json(nullptr);
  return std::nullopt;
}

std::optional<Json> read_bool(std::string_view text) {
  if (is_one_of(text, {"true", "True", "TRUE"})) return Json(true);
  if (is_one_of(text, {"false", "False", "FALSE"})) return Json(false);
  return std::nullopt;
}

/// All of `text` as a number of this base; a double when it does not fit.
std::optional<Json> read_digits(std::string_view text, int base) {
  if (text.empty()) return std::nullopt;
  double sum = 0;
  for (char c : text) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 99;
    if (digit >= base) return std::nullopt;
    sum = sum * base + digit;
  }
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error == std::errc{} && end == text.data() + text.size()) return Json(value);
  double exact = sum;
  if (base == 10) std::from_chars(text.data(), text.data() + text.size(), exact);
  return Json(exact);
}

std::optional<Json> read_int(std::string_view text) {
  if (text.starts_with("0o")) return read_digits(text.substr(2), 8);
  if (text.starts_with("0x")) return read_digits(text.substr(2), 16);
  bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  auto value = read_digits(text, 10);
  if (!value || !is_negative) return value;
  return value->is_int() ? Json(-value->as_int()) : Json(-value->as_number());
}

std::optional<Json> read_float(std::string_view text) {
  if (is_one_of(text, {".nan", ".NaN", ".NAN"}))
    return Json(std::numeric_limits<double>::quiet_NaN());
  double sign = text.starts_with('-') ? -1 : 1;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (is_one_of(text, {".inf", ".Inf", ".INF"}))
    return Json(sign * std::numeric_limits<double>::infinity());
  std::size_t at = digits_at(text, 0);
  std::size_t digits = at;
  if (at < text.size() && text[at] == '.') {
    std::size_t fraction = digits_at(text, at + 1);
    digits += fraction;
    at += 1 + fraction;
  }
  if (digits == 0) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    std::size_t exponent = digits_at(text, at);
    if (exponent == 0) return std::nullopt;
    at += exponent;
  }
  if (at != text.size()) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    bool is_tiny =
        text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
    value = is_tiny ? 0 : std::numeric_limits<double>::infinity();
  }
  return Json(sign * value);
}

}  // namespace

std::optional<Json> yaml_scalar(const YamlNode& scalar) {
  constexpr std::string_view kCore = "tag:yaml.org,2002:";
  std::string_view tag = scalar.tag;
  const std::string& text = scalar.value;
  if (tag.empty()) {
    if (!scalar.is_plain) return Json(text);
    for (auto read : {&read_null, &read_bool, &read_int, &read_float}) {
      if (auto value = read(text)) return value;
    }
    return Json(text);
  }
  if (tag == "!") return Json(text);
  if (!tag.starts_with(kCore)) return std::nullopt;
  tag.remove_prefix(kCore.size());
  if (tag == "str") return Json(text);
  if (!scalar.is_plain) return std::nullopt;
  if (tag == "null") return read_null(text);
  if (tag == "bool") return read_bool(text);
  if (tag == "int") return read_int(text);
  if (tag == "float") {
    auto value = read_float(text);
    return value ? value : read_int(text);
  }
  return std::nullopt;
}

Json yaml_to_json(const YamlNode& node, std::string_view file) {
  auto refuse = [&](const YamlNode& at, const std::string& message) {
    throw_diagnostics({{std::string(file), at.line, at.column, message}});
  };
  if (node.is_scalar()) {
    auto value = yaml_scalar(node);
    if (!value && node.tag.starts_with('!')) {
      refuse(node,
             fmt::format("unknown tag '{}'; a text that begins with '!' needs quotes", node.tag));
    }
    if (!value) refuse(node, fmt::format("'{}' does not fit the tag '{}'", node.value, node.tag));
    return *value;
  }
  if (node.is_sequence()) {
    Json made = Json::array();
    for (const YamlNode& item : node.items) made.push_back(yaml_to_json(item, file));
    return made;
  }
  Json made = Json::object();
  for (const auto& [key, value] : node.entries) {
    if (!key.is_scalar()) refuse(key, "a key must be a text");
    made[key.value] = yaml_to_json(value, file);
  }
  return made;
}

}  // namespace slipway::formats
