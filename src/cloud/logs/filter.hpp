// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cloud::logs {

/// A filter pattern for unstructured text: terms that must all be there, "?term" of which one must, "-term" that must not; terms with
/// other than letters, digits and "_" are quoted. Patterns in braces or brackets (JSON, space-delimited) are refused.
///   source  CloudWatch Logs User Guide, "Filter pattern syntax"
class FilterPattern final {
 public:
  /// throws Refusal InvalidParameterException
  explicit FilterPattern(std::string_view text);
  [[nodiscard]] bool matches(std::string_view message) const;

 private:
  std::vector<std::string> all_;
  std::vector<std::string> any_;
  std::vector<std::string> none_;
};

}  // namespace slipway::cloud::logs
