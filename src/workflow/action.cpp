// SPDX-License-Identifier: Apache-2.0
#include "workflow/action.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {

bool ActionContext::flag(std::string_view name, bool otherwise) const {
  auto value = std::string(trim(text(name)));
  if (value.empty()) return otherwise;
  if (value == "true" || value == "True" || value == "TRUE") return true;
  if (value == "false" || value == "False" || value == "FALSE") return false;
  fail(Fault::bad_input,
       "Input does not meet YAML 1.2 \"Core Schema\" specification: {}\nSupport boolean input "
       "list: `true | True | TRUE | false "
       "| False | FALSE`",
       name);
}

std::vector<std::string> ActionContext::list(std::string_view name) const {
  std::vector<std::string> items;
  auto value = text(name);
  for (auto line : lines_of(value)) {
    if (auto item = trim(line); !item.empty()) items.emplace_back(item);
  }
  return items;
}

std::string ActionContext::env_or(const std::string& name, std::string otherwise) const {
  auto found = env().find(name);
  return found == env().end() ? std::move(otherwise) : found->second;
}

}  // namespace slipway::workflow
