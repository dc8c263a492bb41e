// SPDX-License-Identifier: Apache-2.0
#include "cloud/logs/filter.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cloud/service.hpp"

namespace slipway::cloud::logs {

FilterPattern::FilterPattern(std::string_view text) {
  text = trim(text);
  if (text.starts_with('{') || text.starts_with('[') || text.starts_with('%')) {
    throw Refusal("InvalidParameterException",
                  "slipway: JSON, space-delimited and regular expression filter patterns are not "
                  "supported yet; use terms");
  }
  while (!text.empty()) {
    auto* terms = &all_;
    if (text.front() == '?' || text.front() == '-') {
      terms = text.front() == '?' ? &any_ : &none_;
      text.remove_prefix(1);
    }
    if (text.starts_with('"')) {
      auto end = text.find('"', 1);
      if (end == std::string_view::npos)
        throw Refusal("InvalidParameterException", "Invalid filter pattern");
      terms->emplace_back(text.substr(1, end - 1));
      text = trim(text.substr(end + 1));
    } else {
      auto end = text.find(' ');
      terms->emplace_back(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view{} : trim(text.substr(end));
    }
  }
}

bool FilterPattern::matches(std::string_view message) const {
  auto has = [&](const std::string& term) { return message.find(term) != std::string_view::npos; };
  return std::all_of(all_.begin(), all_.end(), has) &&
         std::none_of(none_.begin(), none_.end(), has) &&
         (any_.empty() || std::any_of(any_.begin(), any_.end(), has));
}

}  // namespace slipway::cloud::logs
