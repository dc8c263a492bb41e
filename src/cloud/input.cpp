// SPDX-License-Identifier: Apache-2.0
#include "cloud/input.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace slipway::cloud {
namespace {

std::optional<std::string> scalar(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_number() || value.is_bool()) return value.dump();
  return std::nullopt;
}

std::string random_from(std::string_view alphabet, std::size_t length) {
  std::string id;
  for (char byte : random_bytes(length))
    id += alphabet[static_cast<unsigned char>(byte) % alphabet.size()];
  return id;
}

}  // namespace

void Input::refuse(const std::string& message) const { throw Refusal(std::string(code_), message); }

bool Input::has(std::string_view key) const {
  const auto* value = members_.find(key);
  return value != nullptr && !value->is_null();
}

std::optional<std::string> Input::optional_text(std::string_view key) const {
  const auto* value = members_.find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  auto text = scalar(*value);
  if (!text) refuse(fmt::format("'{}' must be a string", key));
  return text;
}

std::string Input::text(std::string_view key) const {
  auto value = optional_text(key);
  if (!value)
    refuse("1 validation error detected: Value null at '" + std::string(key) +
           "' failed to satisfy constraint: Member must not be null");
  if (value->empty())
    refuse(validation_message("", key, "Member must have length greater than or equal to 1"));
  return *value;
}

std::string Input::text_or(std::string_view key, std::string_view otherwise) const {
  return optional_text(key).value_or(std::string(otherwise));
}

std::optional<std::int64_t> Input::optional_integer(std::string_view key) const {
  const auto* value = members_.find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_int()) return value->as_int();
  if (value->is_string()) {
    if (auto number = to_integer(value->as_string())) return *number;
  }
  refuse(fmt::format("'{}' must be a whole number", key));
}

std::int64_t Input::integer_or(std::string_view key, std::int64_t otherwise) const {
  return optional_integer(key).value_or(otherwise);
}

bool Input::boolean_or(std::string_view key, bool otherwise) const {
  const auto* value = members_.find(key);
  if (value == nullptr || value->is_null()) return otherwise;
  if (value->is_bool()) return value->as_bool();
  if (value->is_string() && equals_ignoring_case(value->as_string(), "true")) return true;
  if (value->is_string() && equals_ignoring_case(value->as_string(), "false")) return false;
  refuse(fmt::format("'{}' must be true or false", key));
}

std::vector<std::string> Input::texts(std::string_view key) const {
  std::vector<std::string> found;
  for (const auto& item : items(key)) {
    auto text = scalar(item);
    if (!text) refuse(fmt::format("'{}' must be a list of strings", key));
    found.push_back(*text);
  }
  return found;
}

std::vector<Json> Input::items(std::string_view key) const {
  const auto* value = members_.find(key);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_array()) {
    if (value->is_string() && value->as_string().empty())
      return {};  // a query client's empty list: "Key="
    refuse(fmt::format("'{}' must be a list", key));
  }
  return value->as_array();
}

std::size_t Input::page_size(std::string_view key, std::size_t otherwise, std::size_t most) const {
  auto size = optional_integer(key);
  if (!size) return otherwise;
  if (*size < 1)
    refuse(validation_message(std::to_string(*size), key,
                              "Member must have value greater than or equal to 1"));
  if (static_cast<std::size_t>(*size) > most) {
    refuse(
        validation_message(std::to_string(*size), key,
                           fmt::format("Member must have value less than or equal to {}", most)));
  }
  return static_cast<std::size_t>(*size);
}

std::string validation_message(std::string_view value, std::string_view member,
                               std::string_view constraint) {
  return fmt::format(
      "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: {}", value,
      member, constraint);
}

std::string page_token(std::string_view after) {
  return base64url(fmt::format("slipway:{}", after));
}

std::optional<std::string> read_page_token(std::string_view token) {
  auto text = unbase64url(token);
  if (!text || !text->starts_with("slipway:")) return std::nullopt;
  return text->substr(8);
}

std::string random_id(std::size_t length) {
  return random_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length);
}

std::string random_letters(std::size_t length) {
  return random_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length);
}

std::string partition_of(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  if (region.starts_with("us-isob-")) return "aws-iso-b";
  if (region.starts_with("us-iso-")) return "aws-iso";
  return "aws";
}

std::string arn(std::string_view service, std::string_view region, std::string_view account,
                std::string_view resource) {
  return fmt::format("arn:{}:{}:{}:{}:{}", partition_of(region), service, region, account,
                     resource);
}

std::optional<Arn> parse_arn(std::string_view text) {
  if (!text.starts_with("arn:")) return std::nullopt;
  auto parts = split(text, ':');
  if (parts.size() < 6) return std::nullopt;
  Arn arn{.partition = parts[1],
          .service = parts[2],
          .region = parts[3],
          .account = parts[4],
          .resource = parts[5]};
  for (std::size_t i = 6; i < parts.size(); ++i) arn.resource += ":" + parts[i];
  if (arn.partition.empty() || arn.service.empty() || arn.resource.empty()) return std::nullopt;
  return arn;
}

}  // namespace slipway::cloud
