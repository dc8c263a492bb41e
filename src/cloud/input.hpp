// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/service.hpp"

namespace slipway::cloud {

/// Reads a call's members with the checks every AWS service makes; a query request's numbers and booleans are strings.
///   throws  Refusal with the service's own code for bad parameters
class Input final {
 public:
  /// `code` is what the service calls a bad parameter: "InvalidParameterException", "ValidationError".
  Input(const Json& members, std::string_view code) : members_(members), code_(code) {}

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key) const;  ///< required, not empty
  [[nodiscard]] std::string text_or(std::string_view key, std::string_view otherwise = "") const;
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(std::string_view key) const;
  [[nodiscard]] std::int64_t integer_or(std::string_view key, std::int64_t otherwise) const;
  [[nodiscard]] bool boolean_or(std::string_view key, bool otherwise) const;
  /// A list of strings; empty when absent.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  /// A list of anything; empty when absent.
  [[nodiscard]] std::vector<Json> items(std::string_view key) const;
  /// How many to return on a page: `key` within 1..most.
  [[nodiscard]] std::size_t page_size(std::string_view key, std::size_t otherwise,
                                      std::size_t most) const;
  [[noreturn]] void refuse(const std::string& message) const;

 private:
  const Json& members_;
  std::string_view code_;
};

/// "1 validation error detected: Value '…' at '…' failed to satisfy constraint: …".
std::string validation_message(std::string_view value, std::string_view member,
                               std::string_view constraint);
/// An opaque token for the position `after`, and back; nothing when it is not one of ours.
std::string page_token(std::string_view after);
std::optional<std::string> read_page_token(std::string_view token);
/// Upper-case letters and digits as in AWS's ids: "AROA" + random_id(17).
std::string random_id(std::size_t length);
/// Letters and digits of both cases.
std::string random_letters(std::size_t length);
/// "arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE" in the region's partition.
std::string arn(std::string_view service, std::string_view region, std::string_view account,
                std::string_view resource);
/// "aws", "aws-cn", "aws-us-gov" …
std::string partition_of(std::string_view region);

/// An ARN taken apart; the resource may hold colons.
struct Arn {
  std::string partition, service, region, account, resource;
};
std::optional<Arn> parse_arn(std::string_view text);

}  // namespace slipway::cloud
